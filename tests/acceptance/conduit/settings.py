"""The settings of Conduit."""

from msframework import Bare
from tests.acceptance.conduit.access import TokenAuthenticator


class ConduitEnvelope(Bare):
    """Bare data, and errors as `{"errors": {…: [texts]}}`."""

    def error(self, facts):
        error = facts.error
        found = error if isinstance(error, dict) else {"body": [error or facts.message]}
        return {"errors": found}

    def document_error(self, error):
        return {"type": "object", "properties": {"errors": {"type": "object"}}}


SERVICE_NAME = "conduit"
INSTALLED_APPS = ("tests.acceptance.conduit",)
AUTHENTICATORS = {"token": TokenAuthenticator()}
ENVELOPE = ConduitEnvelope
URL_PREFIX = "/api"
