"""The settings of Conduit."""

from tests.acceptance.conduit.access import TokenAuthenticator

SERVICE_NAME = "conduit"
INSTALLED_APPS = ("tests.acceptance.conduit",)
AUTHENTICATORS = {"token": TokenAuthenticator()}
ENVELOPE = "tests.acceptance.conduit.envelope.ConduitEnvelope"
URL_PREFIX = "/api"
