"""`manage.py openapi`: the document to a file or to standard output, or a check of such a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml

from msframework.app import create_app
from msframework.openapi.spec import build_document
from msframework.types import JSONObject


@click.command("openapi")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file instead of standard output.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "yaml"]),
    help="JSON or YAML; else what the file's name says, and JSON without one.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; fail if the file of --output says something else than the service.",
)
@click.pass_obj
def command(obj: Any, output: Path | None, form: str | None, check: bool) -> None:
    """Write the OpenAPI document of this service."""
    if check and output is None:
        raise click.UsageError("--check compares with a file: name it with --output.")
    if form is None:
        form = "yaml" if output is not None and output.suffix in (".yaml", ".yml") else "json"
    document = build_document(create_app(obj.settings).operations, obj.settings)
    if output is None:
        click.echo(_render(document, form), nl=False)
    elif check:
        _compare(document, output, form)
    else:
        output.write_text(_render(document, form), encoding="utf-8")
        click.echo(f"Wrote {output}.", err=True)


def _render(document: JSONObject, form: str) -> str:
    if form == "yaml":
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _compare(document: JSONObject, output: Path, form: str) -> None:
    """Fail unless *output* holds *document*; how the file is laid out does not matter."""
    again = "Write it again with: manage.py openapi --output " + str(output)
    if not output.exists():
        raise click.ClickException(f"There is no {output} to compare with. {again}")
    text = output.read_text(encoding="utf-8")
    try:
        held = yaml.safe_load(text) if form == "yaml" else json.loads(text)
    except (ValueError, yaml.YAMLError) as exc:
        raise click.ClickException(f"{output} is no {form.upper()}: {exc}. {again}") from exc
    if held != document:
        raise click.ClickException(f"{output} is not what this service does now. {again}")
    click.echo(f"{output} is up to date.")
