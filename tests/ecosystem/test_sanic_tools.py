"""Sanic's own testing client and its extensions work on a service."""

SANIC_EXT = """
from sanic_ext import Extend


async def main():
    service = make_service()
    service.config.OAS = False  # a document of its own

    @service.get("/typed/<number:int>")
    async def typed(request: "Request", number: int) -> dict:
        return {"number": number}

    typed.__globals__["Request"] = Sanic
    Extend(service)
    async with serving(service) as server:
        url = server.url
        print(json.dumps(await ask(url, "/ping", "/typed/7", "/openapi/spec.json")))


asyncio.run(main())
"""
SANIC_TESTING = """
import warnings


def look(answers):
    return [[answer.status, answer.json] for _, answer in answers]


async def through_asgi(service):
    return look([await service.asgi_client.get(path) for path in ("/ping", "/no")])


service = make_service()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    found = look([service.test_client.get(path) for path in ("/ping", "/no")])
Sanic._app_registry.clear()
print(json.dumps([found, asyncio.run(through_asgi(make_service()))]))
"""


def test_a_service_takes_sanic_ext(looked_into, fast):
    pong, typed, document = looked_into(SANIC_EXT, fast=fast)

    assert (pong, typed) == ({"pong": True}, {"number": 7})
    assert document["openapi"] == "3.1.0"


def test_sanic_testing_reaches_a_service(looked_into, fast):
    served, asgi = looked_into(SANIC_TESTING, fast=fast)

    assert served == asgi
    assert served[0] == [200, {"code": 0, "data": {"pong": True}}]
    assert served[1][0] == 404
