"""A client of a served service, for tests that look at statuses and bodies alone."""

import json

JSON = {"Content-Type": "application/json"}


class Client:
    """A session to one served service."""

    def __init__(self, session, base):
        self.session, self.base = session, base

    async def __call__(self, method, path, **options):
        async with self.session.request(method, self.base + path, **options) as response:
            body = await response.read()
            return response.status, json.loads(body) if body else None
