"""The service that `fanout` calls: raw Sanic, no database, fixed answers.

It is not a peer. It runs on the load's core and counts what it is asked: `GET /calls`.
"""

import orjson
from sanic import HTTPResponse, Sanic

from .common import PORT

app = Sanic("upstream")
app.config.AUTO_EXTEND = False
calls = {"cities": 0, "roles": 0}


def _answer(data: dict) -> HTTPResponse:
    return HTTPResponse(orjson.dumps({"code": 0, "data": data}), content_type="application/json")


@app.get("/cities/<city_id:int>")
async def city(request, city_id: int):
    calls["cities"] += 1
    return _answer({"id": city_id, "name": f"City {city_id}", "country": "XX"})


@app.get("/roles/<role_id:int>")
async def role(request, role_id: int):
    calls["roles"] += 1
    return _answer({"id": role_id, "name": f"Role {role_id}", "level": role_id % 3})


@app.get("/calls")
async def count(request):
    return _answer(calls)


if __name__ == "__main__":
    app.run("127.0.0.1", PORT, single_process=True, access_log=False, motd=False)
