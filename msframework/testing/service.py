"""A finished service is turned to the tests' own database and services. Runs in tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msframework.app import build_database
from msframework.client import Client
from msframework.conf.settings import Settings
from msframework.testing.database import TestDatabase
from msframework.testing.server import App


def settings_of(app: App) -> Settings | None:
    """Return the settings of *app*; `None` for a plain Sanic app."""
    return getattr(app, "settings", None)


def use_database(app: Any, database: TestDatabase) -> None:
    """Let *app*, which is not started, use *database* from now on."""
    app.settings = database.point(app.settings)
    app.replace_part("db", build_database(app.settings, app.tracer))


def clients_of(app: App) -> Iterator[Client]:
    """Yield every client of *app*: those of `SERVICES`, and those that listeners made."""
    seen: set[int] = set()
    own = list(getattr(app, "clients", {}).values())
    for value in (*own, *vars(app.ctx).values(), *getattr(app, "__dict__", {}).values()):
        if isinstance(value, Client) and id(value) not in seen:
            seen.add(id(value))
            yield value


def forget_rates(app: App) -> None:
    """Let the rate limits of *app* begin anew, where it has any."""
    serving = getattr(app, "_serving", None)
    if serving is not None:
        serving.rates.forget()
