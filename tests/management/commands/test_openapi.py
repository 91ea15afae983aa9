"""`manage.py openapi`: writes the document, and tells whether a file still is the document."""

import json
import sys

import pytest
import yaml
from click.testing import CliRunner
from openapi_spec_validator import validate
from sanic import Sanic

from msframework.management.commands.openapi import command
from msframework.management.project import Project

RESOURCES = """
from msframework import Blueprint, Resource, doc

ships = Blueprint("ships", url_prefix="/ships")


@ships.resource("/<id:int>")
class Ship(Resource):
    @doc.summary("Read a ship — 船")
    @doc.produces({"id": int, "name": str})
    async def get(self, request, id):
        return {"id": id, "name": "Batavia"}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return the function that runs the command in a project of its own."""
    harbour = tmp_path / "harbour"
    harbour.mkdir()
    (harbour / "__init__.py").touch()
    (harbour / "resources.py").write_text(RESOURCES)
    (tmp_path / "harbour_settings.py").write_text(
        'SERVICE_NAME = "harbour"\nDEBUG = True\nINSTALLED_APPS = ["harbour"]\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SANIC_CONFIG_MODULE", "harbour_settings")

    def invoke(*arguments):
        # Each command is a process of its own, which imports anew.
        Sanic._app_registry.clear()
        for name in ("harbour_settings", "harbour.resources", "harbour"):
            sys.modules.pop(name, None)
        return CliRunner().invoke(command, arguments, obj=Project())

    return invoke


def test_the_document_goes_to_standard_output_as_json(run):
    result = run()

    document = json.loads(result.stdout)
    validate(document)
    assert result.exit_code == 0
    assert document["info"]["title"] == "harbour"
    assert "Read a ship — 船" in result.stdout


def test_the_document_goes_to_standard_output_as_yaml(run):
    result = run("--format", "yaml")

    document = yaml.safe_load(result.stdout)
    assert list(document) == [
        "openapi",
        "info",
        "servers",
        "security",
        "tags",
        "paths",
        "components",
    ]
    assert document == json.loads(run().stdout)


@pytest.mark.parametrize(
    ("name", "options", "read"),
    [
        ("spec.json", [], json.loads),
        ("spec.yaml", [], yaml.safe_load),
        ("spec.yml", [], yaml.safe_load),
        ("spec.txt", ["--format", "json"], json.loads),
        ("spec", [], json.loads),
    ],
)
def test_a_file_is_written_in_the_format_of_its_name(run, tmp_path, name, options, read):
    result = run("--output", name, *options)

    text = (tmp_path / name).read_text(encoding="utf-8")
    assert (result.stdout, result.stderr) == ("", f"Wrote {name}.\n")
    assert read(text)["paths"] == json.loads(run().stdout)["paths"]


@pytest.mark.parametrize("name", ["spec.json", "spec.yaml"])
def test_a_file_that_is_the_document_passes_however_it_is_laid_out(run, tmp_path, name):
    run("--output", name)
    if name == "spec.json":
        (tmp_path / name).write_text(json.dumps(json.loads((tmp_path / name).read_text())))

    result = run("--output", name, "--check")

    assert (result.exit_code, result.stdout) == (0, f"{name} is up to date.\n")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("spec.json", '{"openapi": "3.1.0"}', "spec.json is not what this service does now."),
        ("spec.json", "{", "spec.json is no JSON: "),
        ("spec.yaml", "a: [", "spec.yaml is no YAML: "),
        ("spec.json", None, "There is no spec.json to compare with."),
    ],
)
def test_another_file_fails_the_check_and_stays_as_it_is(run, tmp_path, name, text, said):
    if text is not None:
        (tmp_path / name).write_text(text)

    result = run("--output", name, "--check")

    assert result.exit_code == 1
    assert said in result.stderr
    assert f"Write it again with: manage.py openapi --output {name}" in result.stderr
    assert (tmp_path / name).exists() is (text is not None)
    assert text is None or (tmp_path / name).read_text() == text


def test_a_check_without_a_file_is_a_wrong_command_line(run):
    result = run("--check")

    assert result.exit_code == 2
    assert "name it with --output" in result.stderr
