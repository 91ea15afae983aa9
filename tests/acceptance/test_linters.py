"""The documents of the services here by the rules of Redocly (recommended) and Spectral (oas)."""

import json
import shutil

import pytest

from tests.acceptance.tools import run
from tests.console import ROOT, environment

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

SETTINGS = tuple(f"settings.{name}" for name in ("test", "accounts", "users", "regions", "roles"))
# Collections, and a public API: they declare no licence, contact or texts, so warnings are theirs.
OTHERS = ("tests.acceptance.shop.settings", "tests.acceptance.conduit.settings")
NEEDS = {"CONDUIT_SECRET": "0123456789abcdef" * 4, "DATABASE_URL": "postgresql://127.0.0.1/none"}
VERSIONS = ("3.1", "3.0", "2.0")
# Spectral takes scopes beside OAuth 2 for a mistake; in 3.1 they are roles (4.8.30). Redocly looks
# for schemes that are not defined, too.
RULES = 'extends: ["spectral:oas"]\nrules: {oas3-operation-security-defined: "off"}\n'


def write_documents(folder, settings, **needs):
    """Write the documents of some services in each version into *folder*; return their paths."""
    python, places = shutil.which("python", path=environment()["PATH"]), []
    for name in settings:
        for version in VERSIONS:
            places.append(folder / f"{name}-{version}.json")
            command = ("manage.py", "openapi", "--settings", name, "--output", str(places[-1]))
            run(python, *command, cwd=ROOT, **environment(OPENAPI_VERSION=version, **needs))
    return places


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """Write the documents of the services here."""
    return write_documents(tmp_path_factory.mktemp("documents"), SETTINGS)


def read_reports(said):
    """Yield the JSON of each document from what Redocly printed."""
    decoder, place = json.JSONDecoder(), said.find("{")
    while place != -1:
        report, end = decoder.raw_decode(said, place)
        yield report
        place = said.find("{", end)


def test_redocly_finds_nothing(node_programs, documents, tmp_path):
    (tmp_path / "redocly.yaml").write_text("extends: [recommended]\n")
    command = ("lint", "--config", "redocly.yaml", "--format", "json", *documents)

    said = run(node_programs / "redocly", *command, cwd=tmp_path)

    found = list(read_reports(said))
    assert len(found) == len(documents)
    assert [each["problems"] for each in found if each["problems"]] == []


def test_spectral_finds_nothing(node_programs, documents, tmp_path):
    (tmp_path / "rules.yaml").write_text(RULES)
    options = ("lint", "-r", "rules.yaml", "-f", "json", "-q", "--fail-severity", "hint")

    said = run(node_programs / "spectral", *options, *documents, cwd=tmp_path).strip()

    assert json.loads(said or "[]") == []


def test_neither_finds_an_error_in_collections_or_a_public_api(node_programs, tmp_path):
    (tmp_path / "redocly.yaml").write_text("extends: [recommended]\n")
    (tmp_path / "rules.yaml").write_text(RULES)
    documents = write_documents(tmp_path, OTHERS, **NEEDS)

    run(node_programs / "redocly", "lint", "--config", "redocly.yaml", *documents, cwd=tmp_path)
    run(node_programs / "spectral", "lint", "-r", "rules.yaml", *documents, cwd=tmp_path)


def test_the_linters_would_find_something(node_programs, tmp_path):
    """A document without what they ask for fails, so silence means that they looked."""
    bad = tmp_path / "openapi.json"
    bad.write_text('{"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {}}')
    (tmp_path / "rules.yaml").write_text('extends: ["spectral:oas"]\n')
    strict = ("-r", "rules.yaml", "--fail-severity", "hint", bad)

    with pytest.raises(AssertionError, match="oas3-api-servers"):
        run(node_programs / "spectral", "lint", *strict, cwd=tmp_path)
    with pytest.raises(AssertionError, match="no-empty-servers"):
        run(node_programs / "redocly", "lint", bad, cwd=tmp_path)
