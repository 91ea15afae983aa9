"""A service in which each operation is guarded in another way, for its golden documents."""

from typing import ClassVar

from msframework import Authenticator


class Token(Authenticator):
    scheme: ClassVar = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    challenge = 'Bearer realm="harbour"'


class Key(Authenticator):
    scheme: ClassVar = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    challenge = 'ApiKey realm="harbour"'


class Login(Authenticator):
    scheme: ClassVar = {"type": "http", "scheme": "basic", "description": "For people."}
    challenge = 'Basic realm="harbour", charset="UTF-8"'


class Certificate(Authenticator):
    scheme: ClassVar = {"type": "mutualTLS", "description": "For other services."}


def authenticators():
    """Return one authenticator of each kind; none of them is ever asked."""

    async def authenticate(self, request):
        return None

    kinds = {"token": Token, "key": Key, "login": Login, "certificate": Certificate}
    for kind in kinds.values():
        kind.authenticate = authenticate
    return {name: kind() for name, kind in kinds.items()}


DEBUG = True
SERVICE_NAME = "harbour"
INSTALLED_APPS = ("tests.openapi.guarded",)
AUTHENTICATORS = authenticators()
SECURITY_SCHEMES = {
    "gateway": {
        "type": "openIdConnect",
        "openIdConnectUrl": "https://login.example.org/.well-known/openid-configuration",
        "x-enforced-by": "gateway",
    }
}
