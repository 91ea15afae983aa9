"""What schemathesis makes of the apps: all of its checks, and state."""

from pathlib import Path

import pytest

from tests.acceptance.statuses import (
    BOUNDS,
    Seen,
    Sent,
    broken,
    provoke,
    provoke_database,
    read_document,
    read_often,
)
from tests.acceptance.tools import run
from tests.processes import ServerProcess, bearer_token, credentials, fresh_database

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(3600)]

FOLDER = Path(__file__).parent
MOST, LEAST = 45, 50
# A service that another one asks for fails, or does not answer.
FAILS = ("ALTER TABLE cities RENAME TO gone", "ALTER TABLE gone RENAME TO cities")
HANGS = ("BEGIN; LOCK TABLE cities", "ROLLBACK")


@pytest.fixture
def database():
    with fresh_database("schemathesis") as url:
        yield url


@pytest.fixture
def serve(database, tmp_path):
    """Run the apps as one service, whose document is of one version."""

    def start(version):
        env = {"SANIC_CONFIG_MODULE": "settings.development", "OPENAPI_VERSION": version}
        env |= {"DATABASE_URL": database, "ACCESS_LOG": "false", **BOUNDS}
        return ServerProcess(tmp_path / "log", **env)

    return start


def check(program, document, folder, *options, **env):
    """Run schemathesis over *document*, as somebody who may do everything."""
    token = bearer_token("regions:write", "roles:write", "users:write")
    run(
        program,
        "run",
        document,
        "--seed=1",
        "--workers=1",
        "--request-timeout=60",
        f"--header=Authorization: Bearer {token}",
        *options,
        cwd=folder,
        timeout=1800,
        SCHEMATHESIS_HOOKS=str(FOLDER / "schemathesis_hooks.py"),
        PYTHONPATH=str(FOLDER),
        STATUSES=str(folder / "statuses"),
        TOKEN=token,
        **env,
    )


def test_every_operation_works_and_answers_as_the_document_says(
    schemathesis, serve, database, tmp_path
):
    with serve("3.1") as server:
        address = f"{server.url}/openapi/spec.json"
        usual = ("--mode=positive", "--phases=fuzzing", f"--max-examples={MOST}")
        check(schemathesis, address, tmp_path, *usual)
        unusual = ("--phases=coverage,fuzzing,stateful", "--max-examples=20")
        check(schemathesis, address, tmp_path, *unusual, PROVOKES="1")
        documented = read_document(address)[1]

        def again(*options):
            check(schemathesis, address, tmp_path, *usual, *options)

        # One operation has no input, so that all its requests are one.
        others = [label for label in documented if label != "GET /accounts/me"]
        seen = read_often(tmp_path / "statuses", others, LEAST, again)
        for _ in range(LEAST):
            seen.ask_each(["GET /accounts/me"], Sent.ask)
        provoke(seen, documented, authorization="Bearer nobody")
        forbidden = [label for label, told in documented.items() if 403 in told]
        seen.ask_each(forbidden, lambda sent: sent.ask(**credentials()))
        seen.ask_each(["GET /accounts/me"], lambda sent: sent.ask(**credentials(caller="nobody")))
        failed = [label for label in documented if any(s >= 500 for s in seen.counts[label])]
        for statements in (FAILS, HANGS):
            with broken(database, *statements):
                seen.ask_each(["GET /users/{id}"], Sent.ask)
        provoke_database(seen, documented, database)

    assert failed == []
    assert {label: n for label in documented if (n := seen.successes(label)) < LEAST} == {}
    assert (seen.missing(documented), seen.unknown(documented)) == ({}, {})


@pytest.mark.parametrize("mode", ["positive", "all"])
def test_the_document_of_version_3_0_says_the_same(schemathesis, serve, tmp_path, mode):
    with serve("3.0") as server:
        address = f"{server.url}/openapi/spec.json"
        phases = "--phases=examples,coverage,fuzzing"
        check(schemathesis, address, tmp_path, f"--mode={mode}", phases, "--max-examples=20")
        documented = read_document(address)[1]

    seen = Seen.read(tmp_path / "statuses")
    assert [label for label in documented if not seen.successes(label)] == []
    assert seen.unknown(documented) == {}
