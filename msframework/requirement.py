"""Whether a service needs a database that its settings do not give. Runs at start-up."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from types import CodeType
from typing import Any

import peewee

from msframework._imports import exists, import_module
from msframework.exceptions import ImproperlyConfigured
from msframework.operation import Operation
from msframework.problem import Problem
from msframework.provider import ProviderKind


def check_database(service: Any) -> None:
    """Refuse a service that has no database, and cannot do without.

    Raises:
        ImproperlyConfigured: a model or a method asks for it, or models cannot be imported.
    """
    settings = service.settings
    if settings.database.url is not None or settings.debug:
        return
    problems: list[str] = []
    users = _find_users(settings.installed_apps, service.endpoints.operations, problems)
    if users:
        others = f" (and {len(users) - 1} more)" if len(users) > 1 else ""
        problems.append(
            Problem(
                "",
                f"DATABASE_URL is not set and DEBUG is off, but {users[0]}{others}; expected the "
                "address of a PostgreSQL.",
                advice="Set DATABASE_URL (or DATABASE_URL_FILE) to postgresql://user@host/name, or "
                "DEBUG to True at your desk, where an embedded server is started.",
            )
        )
    if problems:
        raise ImproperlyConfigured.of(problems)


def _find_users(
    apps: Sequence[str], operations: Iterable[Operation], problems: list[str]
) -> list[str]:
    """Return the users of a database: apps with models, methods that ask for `app.db` or `cur`."""
    found = []
    for app in apps:
        name = f"{app}.models"
        if not exists(name):
            continue
        module = import_module(name, problems)
        models = [] if module is None else _models_of(module, name)
        if models:
            found.append(f"{name} has the model {models[0]}")
    for operation in operations:
        code = getattr(inspect.unwrap(operation.handler), "__code__", None)
        if code is not None and any({"app", "db"} <= set(each.co_names) for each in _codes(code)):
            found.append(f"{operation.where} asks for app.db")
        found.extend(
            f"{operation.where} takes {provision.value.name!r}"
            for provision in operation.provisions
            if provision.value.function is None
            and provision.value.kind is not ProviderKind.PRINCIPAL
        )
    return found


def _models_of(module: object, name: str) -> list[str]:
    return [
        value.__name__
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, peewee.Model)
        and f"{value.__module__}.".startswith(f"{name}.")
    ]


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _codes(const)
