"""What schemathesis makes of a service of collections: all of its checks, and state."""

import json
import urllib.request
from collections import Counter, defaultdict
from pathlib import Path

import psycopg
import pytest

from tests.acceptance import tools
from tests.acceptance.test_schemathesis import read
from tests.acceptance.tools import run
from tests.collection import shop
from tests.processes import ServerProcess, fresh_database

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]

FOLDER = Path(__file__).parent
SETTINGS = "tests.acceptance.shop.settings"
MOST, LEAST = 90, 50


@pytest.fixture(scope="module")
def program():
    try:
        return tools.python_programs() / "schemathesis"
    except tools.Unavailable as exc:
        pytest.skip(str(exc))


@pytest.fixture
def serve(tmp_path):
    """Run the shop on a database with two people."""
    with fresh_database("schemathesis_shop") as url:
        with psycopg.connect(url) as conn:
            conn.execute(shop.TABLES)
            conn.execute("INSERT INTO people (name) VALUES ('Ada'), ('Eve')")

        def start():
            env = {"DATABASE_URL": url, "ACCESS_LOG": "false"}
            return ServerProcess(tmp_path / "log", "--settings", SETTINGS, **env)

        yield start


def check(program, document, folder, *options):
    """Run schemathesis over *document*, as Ada."""
    run(
        program,
        f"--config-file={FOLDER / 'shop.toml'}",
        "run",
        document,
        "--seed=1",
        "--workers=1",
        "--header=X-Caller: 1",
        *options,
        cwd=folder,
        SCHEMATHESIS_HOOKS=str(FOLDER / "shop_hooks.py"),
        PYTHONPATH=str(FOLDER),
        STATUSES=str(folder / "statuses"),
    )


def test_every_collection_works_and_answers_as_the_document_says(program, serve, tmp_path):
    with serve() as server:
        document = f"{server.url}/openapi/spec.json"
        usual = ("--mode=positive", "--phases=fuzzing", f"--max-examples={MOST}")
        check(program, document, tmp_path, *usual)
        check(program, document, tmp_path, "--phases=fuzzing,stateful", "--max-examples=10")
        described = read(document)

    statuses = defaultdict(Counter)
    for line in (tmp_path / "statuses").read_text().splitlines():
        label, status = json.loads(line)
        statuses[label][status] += 1
    worked = {
        label: sum(n for status, n in statuses[label].items() if status < 300)
        for label in described
    }
    assert {label: n for label, n in worked.items() if n < LEAST} == {}
    assert [label for label in described if any(s >= 500 for s in statuses[label])] == []


def test_a_renamed_field_of_an_answer_is_found(program, serve, tmp_path):
    with serve() as server:
        with urllib.request.urlopen(f"{server.url}/openapi/spec.json", timeout=20) as response:
            document = json.load(response)
        tag = document["components"]["schemas"]["Tag"]
        tag["properties"]["caption"] = tag["properties"].pop("label")
        tag["required"] = ["id", "slug", "caption"]
        place = tmp_path / "renamed.json"
        place.write_text(json.dumps(document))
        one = ("--include-path=/tags/{slug}", "--mode=positive", "--phases=fuzzing")

        with pytest.raises(AssertionError, match="caption"):
            check(program, place, tmp_path, f"--url={server.url}", "--max-examples=5", *one)
