"""What we replace under Sanic's API for speed, and when it stands aside."""
