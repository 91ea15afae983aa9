"""Our own server under Sanic's API, for speed, and the cases where it stands aside."""
