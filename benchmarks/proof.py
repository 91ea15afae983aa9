"""The proof that nothing is kept from one request to the next. Before any load.

Every request of a workload asks for the same thing, eight at a time: an answer that is kept, or
shared between requests that wait together, would show. PostgreSQL's statement log and the
upstream's own count must hold what that many requests need. A full target also shows that each
request left its access line, with its id, and each sampled one its span.
"""

import http.client
import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.checks import BROWSER, INVALID, VALID
from benchmarks.database import NAME, Database
from benchmarks.processes import CheckFailed, Lines, Server, exchange, expect
from benchmarks.statements import CALLS, NEEDED, count_kinds, missing, read_entries

THREADS = 8
EACH = 10  # requests of one thread; the first of them is sampled
REQUESTS = THREADS * EACH

# workload -> (method, path, body, status)
SAME: dict[str, tuple[str, str, Any, int]] = {
    "json": ("GET", "/json", None, 200),
    "read_one": ("GET", "/users/4242", None, 200),
    "list": ("GET", "/users?page=3&per_page=100", None, 200),
    "create": ("POST", "/users", VALID, 201),
    "invalid": ("POST", "/users", INVALID, 422),
    "fanout": ("GET", "/users/4242/full", None, 200),
}


class Proof:
    """Counts what requests cause elsewhere; the statement log is on while this is open."""

    def __init__(self, database: Database, upstream: Server, collector: Server) -> None:
        self.database, self.upstream, self.collector = database, upstream, collector

    def __enter__(self) -> "Proof":
        self.database.log_statements(True)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.database.log_statements(False)

    def show(self, server: Server, workload: str) -> dict[str, Any]:
        """Send the requests, and return the statements and calls for each of them.

        Raises:
            CheckFailed: there are fewer than the requests need, or something was left out.
        """
        access = Lines(server.access)
        if server.full:
            access.take()
            settle(self.spans)
        statements, calls, spans = self._statement_end(), self.calls(), self.spans()
        ids = send(server, workload)
        expected = REQUESTS * CALLS.get(workload, 0)
        made = settle(lambda: self.calls() - calls) if expected else self.calls() - calls
        counts = self._count_statements(statements)
        short = missing(workload, REQUESTS, counts, made)
        expect(not short, f"{workload}: {'; '.join(short)}")
        found = {
            "requests": REQUESTS,
            "statements": {kind: round(n / REQUESTS, 2) for kind, n in sorted(counts.items())},
            "needed": NEEDED[workload],
            "upstream_calls": made / REQUESTS,
        }
        if server.full:
            found["access_lines"] = check_lines(access.take(), ids, SAME[workload][3])
            found["traced_requests"] = self._check_spans(spans)
        return found

    def calls(self) -> int:
        """Return how often the upstream was asked."""
        return sum(self.upstream.get_json("/calls")["data"].values())

    def spans(self) -> int:
        """Return how many requests the collector has spans of."""
        return self.collector.get_json("/counts")["requests"]

    def _check_spans(self, before: int) -> int:
        found = settle(lambda: self.spans() - before, patience=4.0)
        expect(found == THREADS, f"{found} traced requests reached the collector, not {THREADS}")
        return found

    def _statement_end(self) -> int:
        return self.database.log.stat().st_size

    def _count_statements(self, start: int) -> dict[str, int]:
        time.sleep(0.3)  # what a server does after its answer, such as a reset
        with self.database.log.open("rb") as file:
            file.seek(start)
            text = file.read().decode(errors="replace")
        return count_kinds(read_entries(text, NAME))


def settle(read: Callable[[], int], patience: float = 0.5) -> int:
    """Return what *read* gives once it has stopped growing for a while."""
    value, since = read(), time.monotonic()
    while time.monotonic() - since < patience:
        time.sleep(0.1)
        now = read()
        if now != value:
            value, since = now, time.monotonic()
    return value


def send(server: Server, workload: str) -> set[str]:
    """Send the same request many times, eight at once; return the ids that were sent along."""

    def work(thread: int) -> list[str]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        try:
            return [send_one(server, connection, workload, thread, n) for n in range(EACH)]
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return {name for names in pool.map(work, range(THREADS)) for name in names}


def send_one(
    server: Server, connection: http.client.HTTPConnection, workload: str, thread: int, n: int
) -> str:
    """Send one request of the proof; return its id."""
    method, path, body, status = SAME[workload]
    name = f"proof-{workload}-{thread}-{n}-{time.monotonic_ns():x}"
    trace = f"00-{time.monotonic_ns():032x}-{n + 1:016x}-{'00' if n else '01'}"
    sent = {**BROWSER, "traceparent": trace, "X-Request-ID": name}
    got, headers, raw = exchange(connection, method, path, body, sent)
    if got != status:
        raise CheckFailed(f"{method} {path}: status {got}, not {status}: {raw[:300]!r}")
    if server.full:
        echoed = headers.get("X-Request-ID")
        expect(echoed == name, f"request id {echoed!r}, not {name!r}")
    return name


def check_lines(text: bytes, ids: set[str], status: int) -> int:
    """Return how many access lines *text* holds; there must be one of each of *ids*.

    Raises:
        CheckFailed: one is missing, comes twice, or says something else.
    """
    lines = [json.loads(line) for line in text.splitlines()]
    seen = Counter(line.get("request_id") for line in lines)
    wrong = [name for name in ids if seen[name] != 1]
    expect(not wrong, f"{len(wrong)} of {len(ids)} requests have no access line of their own")
    others = {line["status"] for line in lines if line.get("request_id") in ids} - {status}
    expect(not others, f"access lines say {others}, not {status}")
    return len(lines)
