"""The statuses that a service's operations answered, beside those that its document names.

Most come from schemathesis, whose hooks note them. The rest no schema tells of: a request that is
no HTTP, a body that is too large, that stops, or that is of another type, a database that fails or
is not there. `provoke` asks for those, by a request of each operation that worked.
"""

import http.client
import json
import urllib.request
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psycopg

# Settings that make the bounds of a body quick to reach.
BOUNDS = {"BODY_TIMEOUT": "2", "REQUEST_MAX_SIZE": "200000"}
_TOO_LARGE = 200_001
_FRAMING = ("host", "content-length", "transfer-encoding", "connection")


@dataclass(frozen=True)
class Sent:
    """A request that worked."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes

    def ask(self, **headers):
        """Send it again with other *headers*, and return the status."""
        given = {name: text for name, text in self.headers.items() if name.lower() not in _FRAMING}
        replaced = {name.replace("_", "-").lower() for name in headers}
        given = {name: text for name, text in given.items() if name.lower() not in replaced}
        given |= {name.replace("_", "-"): text for name, text in headers.items()}
        with closing(self._connect()) as connection:
            connection.request(self.method, self._target, self.body or None, given)
            return connection.getresponse().status

    def ask_with(self, *lines, usual=True):
        """Send a head alone, with further *lines* and without a Host unless *usual*."""
        given = [f"{name}: {text}" for name, text in self.headers.items()]
        given = [line for line in given if line.partition(":")[0].lower() not in _FRAMING]
        host = [f"Host: {urlsplit(self.url).netloc}"] if usual else []
        head = [f"{self.method} {self._target} HTTP/1.1", *host, *given, *lines, "", ""]
        with closing(self._connect()) as connection:
            connection.connect()
            connection.sock.sendall("\r\n".join(head).encode("latin-1"))
            response = http.client.HTTPResponse(connection.sock, method=self.method)
            with closing(response):
                response.begin()
                return response.status

    @property
    def _target(self):
        parts = urlsplit(self.url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def _connect(self):
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=40)


@dataclass
class Seen:
    """What each operation answered, how often, and the largest request of each that worked."""

    counts: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    worked: dict[str, Sent] = field(default_factory=dict)

    @classmethod
    def read(cls, notes):
        """Return what the hooks noted."""
        seen = cls()
        for line in notes.read_text().splitlines():
            note = json.loads(line)
            label = note["operation"]
            seen.counts[label][note["status"]] += 1
            if "url" in note:
                body, method = note["body"].encode("latin-1"), label.partition(" ")[0]
                if label not in seen.worked or len(body) >= len(seen.worked[label].body):
                    seen.worked[label] = Sent(method, note["url"], note["headers"], body)
        return seen

    def successes(self, label):
        """Return how often an operation worked."""
        return sum(times for status, times in self.counts[label].items() if status < 300)

    def ask_each(self, labels, ask):
        """Let *ask* send the request of each of *labels* that worked; add the statuses."""
        chosen = [label for label in labels if label in self.worked]
        with ThreadPoolExecutor(8) as pool:
            statuses = pool.map(lambda label: ask(self.worked[label]), chosen)
            for label, status in zip(chosen, statuses, strict=True):
                self.counts[label][status] += 1

    def missing(self, documented):
        """Return the documented statuses that no operation answered with, by operation."""
        left = {label: sorted(told - set(self.counts[label])) for label, told in documented.items()}
        return {label: statuses for label, statuses in left.items() if statuses}

    def unknown(self, documented):
        """Return the statuses that are not documented, by operation."""
        more = {label: sorted(set(self.counts[label]) - told) for label, told in documented.items()}
        return {label: statuses for label, statuses in more.items() if statuses}


def read_document(address):
    """Return a document, and the statuses of its operations as schemathesis names them."""
    with urllib.request.urlopen(address, timeout=60) as response:
        document = json.load(response)
    return document, {
        f"{method.upper()} {path}": {int(status) for status in operation["responses"]}
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def read_often(notes, documented, least, again):
    """Return what the hooks noted, once each operation has worked *least* times.

    NOTE: schemathesis may stop at fewer examples than it was told; another seed finds others.

    Args:
        again: asks the operations that its options name once more.
    """
    for seed in range(2, 6):
        seen = Seen.read(notes)
        rare = [label for label in documented if seen.successes(label) < least]
        if not rare:
            break
        again(f"--seed={seed}", *(f"--include-name={label}" for label in rare))
    return Seen.read(notes)


def provoke(seen, documented, **nobody):
    """Ask for what no schema tells of; *nobody* are headers of credentials that nobody has."""

    def those(status):
        return [label for label, told in documented.items() if status in told]

    seen.ask_each(those(400), lambda sent: sent.ask_with(usual=False))
    seen.ask_each(those(401), lambda sent: sent.ask(**nobody))
    seen.ask_each(those(408), lambda sent: sent.ask_with("Content-Length: 9"))
    seen.ask_each(those(413), lambda sent: sent.ask_with(f"Content-Length: {_TOO_LARGE}"))
    seen.ask_each(those(415), lambda sent: sent.ask(content_type="text/plain"))


def provoke_database(seen, documented, url):
    """Ask while the tables of the database are not there, and then while it takes nobody in."""
    with broken(url, "ALTER SCHEMA public RENAME TO gone", "ALTER SCHEMA gone RENAME TO public"):
        seen.ask_each(documented, Sent.ask)
    name = urlsplit(url).path.removeprefix("/")
    with psycopg.connect(url.replace(f"/{name}", "/postgres"), autocommit=True) as conn:
        conn.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        conn.execute(others, [name])
    seen.ask_each(documented, Sent.ask)


@contextmanager
def broken(url, statement, mended):
    """Run *statement* on the database for a while, and *mended* at the end."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(statement)
        yield
        conn.execute(mended)
