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


@pytest.fixture
def document(tmp_path, request):
    """Write the document of one service in one version."""
    settings, version = request.param
    place = tmp_path / "openapi.json"
    needs = NEEDS if settings in OTHERS else {}
    env = environment(OPENAPI_VERSION=version, **needs)
    python = shutil.which("python", path=env["PATH"])
    command = ("manage.py", "openapi", "--settings", settings, "--output", str(place))
    run(python, *command, cwd=ROOT, **env)
    return place


EACH = pytest.mark.parametrize(
    "document", [(one, version) for one in SETTINGS for version in VERSIONS], indirect=True
)
OTHER = pytest.mark.parametrize(
    "document", [(one, version) for one in OTHERS for version in VERSIONS], indirect=True
)


@EACH
def test_redocly_finds_nothing(node_programs, document, tmp_path):
    (tmp_path / "redocly.yaml").write_text("extends: [recommended]\n")
    command = ("lint", "--config", "redocly.yaml", "--format", "json", document)

    said = run(node_programs / "redocly", *command, cwd=tmp_path)

    found = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert found["problems"] == []


@EACH
def test_spectral_finds_nothing(node_programs, document, tmp_path):
    (tmp_path / "rules.yaml").write_text(RULES)
    command = ("lint", "-r", "rules.yaml", "-f", "json", "-q", "--fail-severity", "hint", document)

    said = run(node_programs / "spectral", *command, cwd=tmp_path).strip()

    assert json.loads(said or "[]") == []


@OTHER
def test_neither_finds_an_error_in_collections_or_a_public_api(node_programs, document, tmp_path):
    (tmp_path / "redocly.yaml").write_text("extends: [recommended]\n")
    (tmp_path / "rules.yaml").write_text(RULES)

    run(node_programs / "redocly", "lint", "--config", "redocly.yaml", document, cwd=tmp_path)
    run(node_programs / "spectral", "lint", "-r", "rules.yaml", document, cwd=tmp_path)


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
