"""A transport whose writes a test is told of."""


class WatchedTransport:
    """A transport that calls *note* before each write, and before it is broken off."""

    def __init__(self, transport, note):
        self._transport, self._note = transport, note

    def __getattr__(self, name):
        return getattr(self._transport, name)

    def write(self, data):
        self._note()
        self._transport.write(data)

    def abort(self):
        self._note()
        self._transport.abort()
