"""One resource in five frameworks: how many lines each needs, and what each answers.

`python -m benchmarks.resources_compared` prints a table in Markdown. The peers come from PyPI into
a virtual environment of their own, and each service runs on the embedded PostgreSQL while the same
requests are sent to it; `PEERS_PYTHON` names a Python that has the peers already.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jwt
import psycopg

from benchmarks.children import start_child
from benchmarks.peer_python import install_peers
from msframework.db.embedded import EmbeddedServer
from tests.processes import free_port

PEERS = (
    *("django==5.2.19", "djangorestframework==3.18.3", "django-filter==26.2"),
    *("djangorestframework-simplejwt==5.5.1", "drf-spectacular", "psycopg[binary]==3.3.9"),
    *("fastapi==0.165.0", "sqlmodel==0.0.50", "uvicorn==0.54.0", "pyjwt==2.15.1"),
    *("litestar[jwt]==2.25.0", "advanced-alchemy==1.12.0", "flask-smorest==0.47.0"),
    *("flask-jwt-extended==4.7.4", "flask-sqlalchemy==3.1.1", "marshmallow-sqlalchemy==1.6.0"),
    "gunicorn==27.0.1",
)
HERE = Path(__file__).with_name("resources")
SECRET = "0123456789abcdef" * 4
_WSGI = "-m gunicorn benchmarks.resources.{name}:app -b 127.0.0.1:{port} --log-level warning"
_ASGI = "-m uvicorn benchmarks.resources.{name}:app --port {port} --log-level warning"
_OURS = "-m msframework runserver --settings benchmarks.resources.settings --port {port}"


@dataclass(frozen=True)
class Candidate:
    """One framework, the module of its service, and how that is started."""

    title: str
    name: str
    command: str
    document: str = "/openapi.json"

    @property
    def lines(self) -> int:
        """How many lines the resource has, without blank ones."""
        text = (HERE / f"{self.name}.py").read_text().split("# The resource.\n")[1]
        return sum(bool(line.strip()) for line in text.split("# The service.")[0].splitlines())


CANDIDATES = (
    Candidate("msframework", "ours", _OURS, "/openapi/spec.json"),
    Candidate("Django REST framework", "drf", _WSGI),
    Candidate("Litestar, Advanced Alchemy", "litestar_alchemy", _ASGI, "/schema/openapi.json"),
    Candidate("flask-smorest, SQLAlchemy", "flask_smorest_sqlalchemy", _WSGI),
    Candidate("FastAPI, SQLModel", "fastapi_sqlmodel", _ASGI),
)
# What is asked by whom (None: a stranger), and the status that is expected.
ONE, TWO = {"title": "One", "body": "x"}, {"title": "Two"}
REQUESTS = (
    ("a stranger lists", None, "GET", "/notes", None, 401),
    ("create", 1, "POST", "/notes", ONE, 201),
    ("create with a title that is taken", 1, "POST", "/notes", ONE, 409),
    ("create another", 1, "POST", "/notes", TWO, 201),
    ("create with a title too long", 1, "POST", "/notes", {"title": "x" * 200}, 422),
    ("list by a filter", 1, "GET", "/notes?title__icontains=o", None, 200),
    ("list by a filter that cannot be read", 1, "GET", "/notes?create_time__gte=x", None, 422),
    ("read", 1, "GET", "/notes/1", None, 200),
    ("read another's", 2, "GET", "/notes/1", None, 404),
    ("change", 1, "PATCH", "/notes/1", {"body": "y"}, 200),
    ("change to a title that is taken", 1, "PATCH", "/notes/1", {"title": "Two"}, 409),
    ("change another's", 2, "PATCH", "/notes/1", {"body": "z"}, 404),
    ("delete another's", 2, "DELETE", "/notes/1", None, 404),
    ("delete", 1, "DELETE", "/notes/1", None, 204),
)


def main() -> None:
    """Print how many lines each resource has, and what each service answers."""
    with tempfile.TemporaryDirectory() as folder:
        peers = install_peers(Path(folder), PEERS)
        server = EmbeddedServer(Path(folder))
        url = server.start()
        try:
            found = [_try(each, peers, url) for each in CANDIDATES]
        finally:
            server.reset()
    titles = " | ".join(each.title for each in CANDIDATES)
    print(f"| | {titles} |\n|---|{'--:|' * len(CANDIDATES)}")
    print(f"| lines | {' | '.join(str(each.lines) for each in CANDIDATES)} |")
    for number, (what, *_, expected) in enumerate(REQUESTS):
        print(f"| {what}: {expected} | {' | '.join(str(each[number]) for each in found)} |")
    print(f"| operations in the document | {' | '.join(str(each[-1]) for each in found)} |")


def _try(candidate: Candidate, peers: str, url: str) -> list[int]:
    """Return the statuses of the requests, and how many operations the document has."""
    with _served(candidate, peers, url) as base:
        statuses = [
            _send(base, who, method, path, body)[0] for _, who, method, path, body, _ in REQUESTS
        ]
        document = json.loads(_send(base, None, "GET", candidate.document, None)[1])
    paths = [item for path, item in document["paths"].items() if "/notes" in path]
    methods = ("get", "post", "put", "patch", "delete")
    return [*statuses, sum(method in item for item in paths for method in methods)]


@contextlib.contextmanager
def _served(candidate: Candidate, peers: str, url: str) -> Iterator[str]:
    """Serve *candidate* on a database of its own; yields the base of its URLs."""
    database = f"compared_{candidate.name}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{database}"')  # type: ignore[call-overload]
    address = urllib.parse.urlsplit(url)._replace(path=f"/{database}").geturl()
    python = sys.executable if candidate.name == "ours" else peers
    root = str(HERE.parents[1])
    env = os.environ | {"DATABASE_URL": address, "JWT_SECRET": SECRET, "PYTHONPATH": root}
    prepare = f"import benchmarks.resources.{candidate.name} as it; it.prepare()"
    subprocess.run([python, "-W", "ignore", "-c", prepare], env=env, check=True)
    port = free_port()
    arguments = candidate.command.format(name=candidate.name, port=port).split()
    command = [python, "-W", "ignore", *arguments]
    process = start_child(command, env=env, cwd=root, stdout=subprocess.DEVNULL)
    try:
        base = f"http://127.0.0.1:{port}"
        _wait(base, process)
        yield base
    finally:
        process.terminate()
        process.wait(30)


def _wait(base: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            _send(base, None, "GET", "/nothing", None)
            return
        time.sleep(0.1)
    raise RuntimeError("it does not serve")


def _send(base: str, who: int | None, method: str, path: str, body: object) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json"}
    if who is not None:
        headers["Authorization"] = f"Bearer {_token(who)}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read()


def _token(who: int) -> str:
    now = int(time.time())
    times = {"exp": now + 600, "iat": now - 1, "nbf": now - 1}
    kinds = {"token_type": "access", "type": "access", "jti": "1", "fresh": False}
    return jwt.encode({"sub": str(who), **times, **kinds}, SECRET, "HS256")


if __name__ == "__main__":
    main()
