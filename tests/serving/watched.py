"""A transport whose writes a test is told of."""


class WatchedTransport:
    """A transport that calls *note* before each write, and *note_end* before it is broken off."""

    def __init__(self, transport, note, note_end=lambda: None):
        self._transport, self._note, self._note_end = transport, note, note_end

    def __getattr__(self, name):
        return getattr(self._transport, name)

    def write(self, data):
        self._note()
        self._transport.write(data)

    def abort(self):
        self._note_end()
        self._transport.abort()
