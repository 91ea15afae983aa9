"""How Conduit answers failures."""

from msframework import Bare


class ConduitEnvelope(Bare):
    """Bare data, and errors as `{"errors": {…: [texts]}}`."""

    def error(self, facts):
        error = facts.error
        found = error if isinstance(error, dict) else {"body": [error or facts.message]}
        return {"errors": found}

    def document_error(self, error):
        return {"type": "object", "properties": {"errors": {"type": "object"}}}
