"""`routes`: the operations, and the handler that a request runs. Runs on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import click

from msframework.app import create_app
from msframework.conf.findings import did_you_mean
from msframework.exceptions import ImproperlyConfigured
from msframework.management.guarded import COLUMNS, read_access_rows
from msframework.management.project import Project
from msframework.operation import Operation
from msframework.types import JSONObject


@click.command()
@click.option("--source", metavar="NAME", help="Print the handler of an operation, by name or id.")
@click.option("--access", is_flag=True, help="Show who may call each operation, and each file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_obj
def command(project: Project, source: str | None, access: bool, as_json: bool) -> None:
    """List the operations of this service."""
    service = create_app(project.settings)
    if source is not None:
        project.echo(find_source(service.sources, source), nl=False)
    elif access:
        rows = read_access_rows(service)
        if as_json:
            project.echo(json.dumps([row.facts() for row in rows], indent=2))
        else:
            project.table(COLUMNS, (row.cells() for row in rows))
    elif as_json:
        project.echo(json.dumps([_facts(operation) for operation in service.operations], indent=2))
    else:
        _echo_table(project, service.operations)


_KEYS = ("method", "path", "name", "id", "where")


def _row(operation: Operation) -> tuple[str, ...]:
    return (
        operation.method.upper(),
        operation.path,
        operation.name,
        operation.id,
        operation.where,
    )


def _echo_table(project: Project, operations: Iterable[Operation]) -> None:
    """Print a row for each operation, with its rate limits where any has some."""
    rows = [(*_row(each), "; ".join(rate.text for rate in each.rates)) for each in operations]
    if any(row[-1] for row in rows):
        project.table((*_KEYS, "limits"), rows)
    else:
        project.table(_KEYS, (row[:-1] for row in rows))


def _facts(operation: Operation) -> JSONObject:
    inputs = [{"name": item.name, "source": item.source.value} for item in operation.inputs]
    limits = [policy.text for policy in operation.rates]
    facts = dict(zip(_KEYS, _row(operation), strict=True))
    return {**facts, "inputs": inputs, "limits": limits, "priority": operation.priority}


def find_source(sources: Mapping[str, str], name: str) -> str:
    """Return the source of the handler *name*.

    Raises:
        ImproperlyConfigured: no operation has that name or id; suggests the nearest.
    """
    if name in sources:
        return sources[name]
    advice = did_you_mean(name, sources.keys(), "`routes` lists the names and ids.")
    raise ImproperlyConfigured(f"There is no operation {name!r}. {advice}")
