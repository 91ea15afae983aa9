"""What each kind of Sanic hook adds to a request: `python -m benchmarks.hooks KIND` serves `/json`.

KIND is none, request, response, both, signals, wrapper, view, view_bound or access_log. Each is a
`--target` of run.py with the workload `json`; README.md has the command for all of them.
"""

import sys
from functools import wraps

import orjson
from sanic import HTTPResponse, Sanic
from sanic.views import HTTPMethodView

from benchmarks.peers.common import PORT

kind = sys.argv[1]
app = Sanic("hooks")
app.config.AUTO_EXTEND = False


def body():
    return HTTPResponse(
        orjson.dumps({"code": 0, "data": {"message": "Hello, World!"}}),
        content_type="application/json",
    )


async def hello(request):
    return body()


if kind in ("request", "both"):

    @app.on_request
    async def before(request):
        request.ctx.seen = True


if kind in ("response", "both"):

    @app.on_response
    async def after(request, response):
        response.headers["x-seen"] = "1"


if kind in ("signals",):

    @app.signal("http.lifecycle.request")
    async def on_request(request):
        request.ctx.seen = True

    @app.signal("http.lifecycle.response")
    async def on_response(request, response):
        response.headers["x-seen"] = "1"


if kind == "wrapper":
    # the same two actions, composed around the handler when the route is registered

    def around(handler):
        @wraps(handler)
        async def wrapped(request):
            request.ctx.seen = True
            response = await handler(request)
            response.headers["x-seen"] = "1"
            return response

        return wrapped

    hello = around(hello)

if kind == "view":

    class Hello(HTTPMethodView):
        async def get(self, request):
            return body()

    app.add_route(Hello.as_view(), "/json")
elif kind == "view_bound":
    # class-based, but dispatched at registration: one bound method per verb

    class Bound:
        async def get(self, request):
            return body()

    app.add_route(Bound().get, "/json", methods=["GET"])
else:
    app.add_route(hello, "/json")

if __name__ == "__main__":
    app.run("127.0.0.1", PORT, single_process=True, access_log=kind == "access_log", motd=False)
