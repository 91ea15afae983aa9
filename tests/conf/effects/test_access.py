"""What the settings of access do to operations; `tests/serving` shows what requests get."""

import pytest

from msframework import Authenticator, ImproperlyConfigured, create_app
from msframework.access import Authenticated
from msframework.conf.loader import load_settings

BEARER = {"type": "http", "scheme": "bearer"}
HERE = "tests.conf.effects.test_access"


class Passports(Authenticator):
    """Knows nobody."""

    scheme = BEARER
    challenge = "Bearer"

    async def authenticate(self, request):
        return None


passports, members = Passports(), Authenticated()


def test_authenticators(make):
    service = make(AUTHENTICATORS={"passport": f"{HERE}.passports"})

    assert service.authenticators == {"passport": passports}
    assert passports.name == "passport"


def test_guards(make):
    names = {"AUTHENTICATORS": {"passport": f"{HERE}.passports"}}
    service = make(GUARDS=(f"{HERE}.members",), **names)

    @service.get("/")
    async def read(request): ...

    assert service.guards == (members,)
    assert [operation.access.guards for operation in service.operations] == [(members,)]


def test_access_in_the_environment(settings_module):
    environ = {
        "AUTHENTICATORS": f'{{"passport": "{HERE}.passports"}}',
        "GUARDS": f"{HERE}.members",
    }
    settings = load_settings(settings_module("DEBUG = True"), environ)

    service = create_app(settings)

    assert service.authenticators == {"passport": passports}
    assert service.guards == (members,)


@pytest.mark.parametrize("name", ["AUTHENTICATORS", "GUARDS"])
def test_what_is_no_path_is_not_shown(settings_module, name):
    text = '{"key": "a secret"}' if name == "AUTHENTICATORS" else "a secret"

    with pytest.raises(ImproperlyConfigured) as caught:
        create_app(load_settings(settings_module("DEBUG = True"), {name: text}))

    assert "a text that is no dotted path" in str(caught.value)
    assert "secret" not in str(caught.value)
