"""What schemathesis makes of a service of collections: all of its checks, and state."""

import json
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.statuses import BOUNDS, provoke, provoke_database, read_document, read_often
from tests.acceptance.tools import run
from tests.collection import shop
from tests.processes import ServerProcess, fresh_database

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(3600)]

FOLDER = Path(__file__).parent
SETTINGS = "tests.acceptance.shop.settings"
MOST, LEAST = 45, 50


@pytest.fixture
def database():
    """Yield the URL of a database with two people."""
    with fresh_database("schemathesis_shop") as url:
        with psycopg.connect(url) as conn:
            conn.execute(shop.TABLES)
            conn.execute("INSERT INTO people (name) VALUES ('Ada'), ('Eve')")
        yield url


@pytest.fixture
def server(database, tmp_path):
    """Run the shop."""
    env = {"DATABASE_URL": database, "ACCESS_LOG": "false", **BOUNDS}
    with ServerProcess(tmp_path / "log", "--settings", SETTINGS, **env) as server:
        yield server


def check(program, document, folder, *options, **env):
    """Run schemathesis over *document*, as Ada."""
    run(
        program,
        f"--config-file={FOLDER / 'shop.toml'}",
        "run",
        document,
        "--seed=1",
        "--workers=1",
        "--request-timeout=60",
        "--header=X-Caller: 1",
        *options,
        cwd=folder,
        timeout=1800,
        SCHEMATHESIS_HOOKS=str(FOLDER / "shop_hooks.py"),
        PYTHONPATH=str(FOLDER),
        STATUSES=str(folder / "statuses"),
        **env,
    )


def test_every_collection_works_and_answers_as_the_document_says(
    schemathesis, server, database, tmp_path
):
    address = f"{server.url}/openapi/spec.json"
    usual = ("--mode=positive", "--phases=fuzzing", f"--max-examples={MOST}")
    check(schemathesis, address, tmp_path, *usual)
    unusual = ("--phases=coverage,fuzzing,stateful", "--max-examples=20")
    check(schemathesis, address, tmp_path, *unusual, PROVOKES="1")
    documented = read_document(address)[1]

    def again(*options):
        check(schemathesis, address, tmp_path, *usual, *options)

    seen = read_often(tmp_path / "statuses", documented, LEAST, again)
    provoke(seen, documented, x_caller="nobody")
    failed = [label for label in documented if any(s >= 500 for s in seen.counts[label])]
    provoke_database(seen, documented, database)

    assert failed == []
    assert {label: n for label in documented if (n := seen.successes(label)) < LEAST} == {}
    assert (seen.missing(documented), seen.unknown(documented)) == ({}, {})


def test_a_renamed_field_of_an_answer_is_found(schemathesis, server, tmp_path):
    document = read_document(f"{server.url}/openapi/spec.json")[0]
    tag = document["components"]["schemas"]["Tag"]
    tag["properties"]["caption"] = tag["properties"].pop("label")
    tag["required"] = ["id", "slug", "caption"]
    place = tmp_path / "renamed.json"
    place.write_text(json.dumps(document))
    one = ("--include-path=/tags/{slug}", "--mode=positive", "--phases=fuzzing")

    with pytest.raises(AssertionError, match="caption"):
        check(schemathesis, place, tmp_path, f"--url={server.url}", "--max-examples=5", *one)
