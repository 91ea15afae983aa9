"""What tracing and the access log cost a request: `python -m benchmarks.tracing`; prints JSON.

Process CPU time of one call in microseconds, the best of sixty short repeats. "off the path" are
the costs of the tasks that write what requests only noted down.
"""

import gc
import json
import logging
import platform
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from sanic.compat import Header

from msframework.conf.settings import Settings
from msframework.db.statement import ServerTags, Statement
from msframework.log import AccessLog, JsonFormatter
from msframework.log.access import PIECE
from msframework.serving.request import Request
from msframework.tracing import Sampler, SpanQueue, Tracer
from msframework.tracing.service import build_encoder
from msframework.tracing.span import OWN, Span, new_span_id, new_trace_id

REPEATS = 60
LEAST_TIME = 0.008


class Discarded:
    """An exporter that never runs: the queue alone is measured."""

    name = "discarded"


def measure(call, times=1):
    """Return the least CPU time of *call*, which does its work *times* times, in microseconds."""
    number = max(1, 500 // times)
    best = float("inf")
    for _ in range(REPEATS):
        gc.collect()
        while True:
            began = time.process_time()
            for _ in range(number):
                call()
            took = time.process_time() - began
            if took >= LEAST_TIME:
                break
            number *= 2
        best = min(best, took / number)
    return round(best / times * 1e6, 3)


def make_tracer(rate):
    """Return a tracer over a queue that empties itself, and its queue."""
    queue = SpanQueue([Discarded()], size=1_000_000, batch_size=1_000_000)
    return Tracer("bench", sampler=Sampler(rate), recorder=queue), queue.lanes[0].spans


def make_request(*headers):
    """Return a request as Sanic makes it."""
    usual = [("host", "localhost:8000"), ("user-agent", "wrk"), ("accept", "*/*")]
    app = SimpleNamespace(_serving=SimpleNamespace(trusts_request_id=True))
    head = Header([*usual, *headers])
    request = Request(b"/users/7", head, "1.1", "GET", SimpleNamespace(), app)
    request.stream = SimpleNamespace(perft0=time.perf_counter(), request=request)
    request.conn_info = SimpleNamespace(client_ip="127.0.0.1")
    return request


def span_rows():
    """Return the costs of spans."""
    tracer, kept = make_tracer(1.0)
    unsampled, _ = make_tracer(0.0)
    request = make_request()
    called = make_request(("traceparent", f"00-{new_trace_id()}-{new_span_id()}-00"))
    parent, unsampled_parent = tracer.start_span("parent"), unsampled.start_span("parent")

    def finish_with_tags(span):
        span.set_tag("http.method", "GET")
        span.set_tag("http.status_code", 200)
        span.set_tag("component", "bench")
        span.finish()
        kept.clear()

    def trace(by, request=request):
        by.finish_request(by.start_request(request, "get /users/{id}"), 200)
        kept.clear()

    return {
        "span with three tags": measure(lambda: finish_with_tags(tracer.start_span("work"))),
        "child with three tags": measure(
            lambda: finish_with_tags(tracer.start_child("work", parent))
        ),
        "unsampled child with three tags": measure(
            lambda: finish_with_tags(unsampled.start_child("work", unsampled_parent))
        ),
        "request": measure(lambda: trace(tracer)),
        "unsampled request": measure(lambda: trace(unsampled)),
        "unsampled request of a caller": measure(lambda: trace(unsampled, called)),
        "ids": measure(lambda: (new_trace_id(), new_span_id())),
    }


def header_rows():
    """Return the costs of headers in and out."""
    tracer, _ = make_tracer(1.0)
    propagator, span, sent = tracer.propagator, tracer.start_span("parent"), {}
    propagator.inject(span, sent)
    state = ("tracestate", "rojo=00f067aa0ba902b7")
    none, own = make_request().headers, make_request(*sent.items()).headers
    w3c_alone = make_request(("traceparent", sent["traceparent"])).headers
    w3c = make_request(("traceparent", sent["traceparent"]), state).headers
    return {
        "inject": measure(lambda: propagator.inject(span, {})),
        "extract of none": measure(lambda: propagator.extract(none)),
        "extract of traceparent": measure(lambda: propagator.extract(w3c_alone)),
        "extract of b3 and traceparent": measure(lambda: propagator.extract(own)),
        "extract of traceparent and tracestate": measure(lambda: propagator.extract(w3c)),
    }


def log_rows():
    """Return the costs of the access log."""
    tracer, _ = make_tracer(0.0)
    access, request = AccessLog(Settings()), make_request()
    request.span = tracer.start_request(request, "get /users/{id}")

    def record():
        access.record(request, 200, 120)
        access._entries.clear()

    for _ in range(PIECE):
        access.record(request, 200, 120)
    entries = list(access._entries)
    access._entries.clear()

    def write():
        for _ in range(PIECE):
            access.record(request, 200, 120)
        access._format_some()
        access._write()

    rows = {
        "access record": measure(record),
        "off the path: access line": measure(lambda: access._lines.format(entries), PIECE),
    }
    log = logging.getLogger("msframework.access")
    log.propagate = False
    with tempfile.TemporaryDirectory() as folder:
        log.addHandler(logging.FileHandler(Path(folder, "access.log"), encoding="utf-8"))
        log.handlers[0].setFormatter(JsonFormatter())
        log.setLevel(logging.INFO)
        rows["access record, line, and its write to a file"] = measure(write, PIECE)
        log.handlers.pop().close()
    return rows


def export_rows():
    """Return the costs of exporting a span."""
    tracer, _ = make_tracer(1.0)
    encoder, request = build_encoder(Settings()), make_request()
    served = tracer.start_request(request, "get /users/{id}")
    server = ServerTags({"peer.service": "postgresql", "db.instance": "bench"})
    statement = Statement("SELECT * FROM users WHERE id = $1", stateless=True)
    template = statement.template(server)
    own = {"db.rows": 1, "db.pool_wait_us": 10}
    ids = served.trace_id, served.span_id
    now = time.perf_counter()
    asked = Span(tracer, template.name, template.kind, *ids, OWN, own, now, template)
    asked.finish()
    tracer.finish_request(served, 200)

    def encode(span):
        encoder.encode(span)
        span._encoded = None

    return {
        "off the path: span of a request to JSON": measure(lambda: encode(served)),
        "off the path: span of a statement to JSON": measure(lambda: encode(asked)),
    }


if __name__ == "__main__":
    rows = span_rows() | header_rows() | log_rows() | export_rows()
    facts = {"python": platform.python_version(), "machine": platform.machine()}
    json.dump({**facts, "microseconds": rows}, sys.stdout, indent=2)
    print()
