"""What can be measured, and the command that starts it. `{port}` is replaced in each command."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
BIN = Path(PYTHON).parent
BASELINE = "sanic"
OURS = "msframework"


@dataclass(frozen=True, slots=True)
class Target:
    """A server to measure.

    Attributes:
        full: whether it promises what a service of msframework leaves behind: request ids, CORS
            headers, an access line for each request, spans. It is held to that.
    """

    name: str
    command: str
    cwd: str = str(ROOT)
    full: bool = False


def _module(app: str) -> str:
    return f"{PYTHON} -m benchmarks.peers.{app}"


def _uvicorn(app: str) -> str:
    return (
        f"{BIN}/uvicorn benchmarks.peers.{app}:app --host 127.0.0.1 --port {{port}} "
        "--loop uvloop --http httptools --no-access-log --log-level warning"
    )


def _gunicorn(app: str) -> str:
    return (
        f"{BIN}/gunicorn 'benchmarks.peers.{app}' --bind 127.0.0.1:{{port}} --worker-class gthread "
        "--workers 1 --threads 16 --keep-alive 75 --log-level warning"
    )


def read_own_command() -> str:
    """Return the command of TARGET, run by this interpreter."""
    words = shlex.split((ROOT / "benchmarks" / "TARGET").read_text())
    if words[0] == "python":
        words[0] = PYTHON
    return shlex.join(words).replace("'{port}'", "{port}")


TARGETS = {
    target.name: target
    for target in (
        Target(BASELINE, _module("sanic_raw")),
        Target(OURS, read_own_command(), full=True),
        Target("sanic_marshmallow", _module("sanic_marshmallow")),
        Target("fastapi", _uvicorn("fastapi_uvicorn")),
        Target("litestar", _uvicorn("litestar_msgspec")),
        Target("blacksheep", _uvicorn("blacksheep_pydantic")),
        Target("flask_smorest", _gunicorn("flask_smorest_gunicorn:create_app()")),
        Target("sanic_ext", _module("sanic_ext_pydantic")),
        Target("aiohttp", _module("aiohttp_webargs")),
        Target("drf", _gunicorn("drf_gunicorn:application")),
        Target("sanic_tuned", _module("sanic_tuned")),
    )
}
# A further point on the map, not a peer: no OpenAPI, no tracing, no access log.
DEFAULT = [name for name in TARGETS if name != "sanic_tuned"]


def read_target(text: str, cwd: str) -> Target:
    """Read `NAME=COMMAND` of the command line."""
    name, _, command = text.partition("=")
    return Target(name, command, cwd)
