"""A service whose handlers note that they ran: what one request does is seen by its effects."""

import json

from sanic import response as sanic_response
from sanic.exceptions import SanicException

from msframework import Blueprint, doc


def open_shop(service):
    """Give *service* the routes of a shop, and return the list of what its handlers did."""
    done = []

    def note(name, *facts):
        done.append((name, *facts))

    @service.get("/")
    async def front(request):
        note("front")
        return {"shop": "open"}

    @service.post("/")
    async def knock(request):
        note("knock", request.body)

    @service.get("/one")
    async def one(request):
        note("one", dict(request.args))
        return {"n": 1}

    @service.post("/echo")
    @doc.consumes({"text": str})
    async def echo(request, body):
        note("echo", body["text"])
        return body

    @service.put("/raw")
    async def raw(request):
        note("raw", request.body)
        return {"size": len(request.body)}

    @service.get("/item/<number:int>")
    async def item(request, number):
        note("item", number)
        return {"number": number}

    @service.delete("/item/<number:int>")
    async def delete(request, number):
        note("delete", number)

    @service.get("/named/<name>")
    async def named(request, name):
        note("named", name)
        return {"name": name}

    @service.get("/files/<rest:path>")
    async def files(request, rest):
        note("files", rest)
        return {"rest": rest}

    @service.get("/fails")
    async def fails(request):
        note("fails")
        raise SanicException("teapot", status_code=418)

    _take_deliveries(service, note)
    return done


def _take_deliveries(service, note):
    @service.post("/stream", stream=True)
    async def stream(request):
        body = b"".join([piece async for piece in request.stream])
        note("stream", body)
        return sanic_response.text(json.dumps(len(body)))

    @service.post("/early", stream=True)
    async def early(request):
        note("early")
        return sanic_response.text("no need to read it")

    @service.get("/streamed")
    async def streamed(request):
        note("streamed")
        response = await request.respond(content_type="text/plain")
        await response.send("a")
        await response.send("b")
        await response.eof()

    guarded = Blueprint("guarded", url_prefix="/guarded")

    @guarded.on_request
    async def guard(request):
        note("guard")
        raise SanicException("not you", status_code=403)

    @guarded.post("/")
    async def never(request):
        note("never")

    service.blueprint(guarded)


def open_kiosk(service):
    """Give *service* routes whose paths are parameters, and return the list of what they did.

    NOTE: beside a path like `/one`, a parameter of the root is never the fast path's.
    """
    done = []

    @service.get("/<name>")
    async def find(request, name):
        done.append(("find", name))
        return {"name": name}

    @service.delete("/<name>")
    async def drop(request, name):
        done.append(("drop", name))

    @service.put("/<name>")
    async def put(request, name):
        done.append(("put", name, request.body))
        return {"size": len(request.body)}

    @service.get("/item/<number:int>")
    async def item(request, number):
        done.append(("item", number))
        return {"number": number}

    @service.get("/<shelf>/<place:int>/<side>")
    async def look(request, shelf, place, side):
        done.append(("look", shelf, place, side))
        return {"shelf": shelf}

    return done


def open_feed(service):
    """Give *service* a websocket, which waits for messages and sends none."""

    @service.websocket("/feed")
    async def feed(request, ws):
        service.done.append(("feed",))
        async for message in ws:
            service.done.append(("feed", message))
