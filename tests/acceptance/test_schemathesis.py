"""What schemathesis makes of the document: every operation works, and answers as it says."""

import json
import urllib.request
from collections import defaultdict
from pathlib import Path

import pytest

from tests.acceptance import tools
from tests.acceptance.tools import run
from tests.processes import ServerProcess, bearer_token, fresh_database

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


@pytest.fixture(scope="module")
def program():
    try:
        return tools.python_programs() / "schemathesis"
    except tools.Unavailable as exc:
        pytest.skip(str(exc))


@pytest.mark.parametrize("version", ["3.1", "3.0"])
@pytest.mark.parametrize("mode", ["positive", "all"])
def test_every_operation_works_and_answers_as_the_document_says(program, tmp_path, version, mode):
    noted = tmp_path / "statuses"
    with fresh_database("schemathesis") as url:
        env = {"SANIC_CONFIG_MODULE": "settings.development", "OPENAPI_VERSION": version}
        with ServerProcess(tmp_path / "log", DATABASE_URL=url, ACCESS_LOG="false", **env) as server:
            document = f"{server.url}/openapi/spec.json"
            options = [f"--checks={','.join(CHECKS)}", f"--mode={mode}", "--seed=1"]
            token = bearer_token("regions:write", "roles:write", "users:write")
            limits = ["--phases=examples,coverage,fuzzing", "--max-examples=20", "--workers=1"]
            run(
                program,
                "run",
                document,
                *options,
                *limits,
                f"--header=Authorization: Bearer {token}",
                cwd=tmp_path,
                SCHEMATHESIS_HOOKS=str(HOOKS),
                PYTHONPATH=str(HOOKS.parent),
                STATUSES=str(noted),
                TOKEN=token,
            )
            described = read(document)

    statuses = defaultdict(set)
    for line in noted.read_text().splitlines():
        label, status = json.loads(line)
        statuses[label].add(status)
    assert set(statuses) == described
    assert [label for label in described if not any(s < 300 for s in statuses[label])] == []
    assert [label for label in described if any(s >= 500 for s in statuses[label])] == []


def read(address):
    """Return the operations of a document as schemathesis names them."""

    with urllib.request.urlopen(address, timeout=20) as response:
        paths = json.load(response)["paths"]
    return {f"{method.upper()} {path}" for path, item in paths.items() for method in item}
