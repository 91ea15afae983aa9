"""What a result was measured on: the machine, and the versions."""

import datetime as dt
import os
import platform
from importlib import metadata
from pathlib import Path

PACKAGES = (
    *("sanic", "asyncpg", "orjson", "msgspec", "marshmallow", "peewee", "aiohttp", "uvloop"),
    *("httptools", "pydantic", "fastapi", "starlette", "uvicorn", "litestar", "blacksheep"),
    *("sanic-ext", "flask", "flask-smorest", "django", "djangorestframework", "gunicorn"),
    *("psycopg", "webargs"),
)


def describe(postgresql: str | None = None) -> dict:
    """Return when, where, and with which versions."""
    facts = {
        "started": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }
    if postgresql is not None:
        facts["postgresql"] = postgresql
    return facts


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "?"
    names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return next(names, "?")
