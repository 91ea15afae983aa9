"""What the settings of access do to operations; `tests/serving` shows what requests get."""

from msframework import Authenticator
from msframework.access import Authenticated

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
