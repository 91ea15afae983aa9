"""A Zipkin collector that only counts: `python -m benchmarks.collector`, on `BENCH_PORT`.

It takes `POST /api/v2/spans` as Zipkin does, and says at `GET /counts` what it received.
"""

import os

from aiohttp import web

counts = {"posts": 0, "spans": 0, "requests": 0}


async def take(request: web.Request) -> web.Response:
    """Count the spans of one batch, and those among them that are a server's request."""
    body = await request.read()
    counts["posts"] += 1
    # PERF: every span has one trace id, and quotes within values are escaped; no need to parse.
    counts["spans"] += body.count(b'"traceId":')
    counts["requests"] += body.count(b'"kind":"SERVER"')
    return web.Response(status=202)


async def show(request: web.Request) -> web.Response:
    """Answer with the counts."""
    return web.json_response(counts)


def build() -> web.Application:
    """Return the application."""
    app = web.Application(client_max_size=16 * 2**20)
    app.add_routes([web.post("/api/v2/spans", take), web.get("/counts", show)])
    return app


if __name__ == "__main__":
    port = int(os.environ.get("BENCH_PORT", "9411"))
    web.run_app(build(), host="127.0.0.1", port=port, print=None, access_log=None)
