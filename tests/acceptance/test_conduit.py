"""A public API that nobody here designed: Conduit, by its own collection of requests.

The collection is RealWorld's (`../shared/data`), run by newman against `tests/acceptance/conduit`.
"""

import json
import subprocess
import sys

import pytest

from tests.console import ROOT, environment
from tests.processes import ServerProcess, fresh_database

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

COLLECTION = ROOT.parent / "shared" / "data" / "Conduit.postman_collection.json"
FOLDER = ROOT / "tests" / "acceptance" / "conduit"
MOST_LINES = 420
SETTINGS = "tests.acceptance.conduit.settings"


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conduit")
    with fresh_database("conduit") as url:
        env = {"DATABASE_URL": url, "CONDUIT_SECRET": "0123456789abcdef" * 4}
        make = (sys.executable, "-c", TABLES)
        subprocess.run(make, cwd=ROOT, env=environment(**env), check=True)
        with ServerProcess(folder / "log", "--settings", SETTINGS, **env) as server:
            yield f"{server.url}/api"


TABLES = """
import os
from msframework.migrations.connection import opened
from tests.acceptance.conduit import models
with opened(os.environ["DATABASE_URL"]) as database:
    tables = [models.User, models.Follow, models.Article, models.Favorite, models.Comment]
    with database.bind_ctx(tables):
        database.create_tables(tables)
"""


@pytest.mark.skipif(not COLLECTION.exists(), reason="its collection lies beside the checkout")
def test_every_request_of_the_collection_is_answered_as_it_asks(api, node_programs, tmp_path):
    variables = {"APIURL": api, "USERNAME": "ada", "EMAIL": "ada@example.com", "PASSWORD": "pw"}
    given = [
        part for name, value in variables.items() for part in ("--global-var", f"{name}={value}")
    ]
    report = tmp_path / "report.json"

    exported = ("-r", "json", "--reporter-json-export", report)
    done = subprocess.run(
        [node_programs / "newman", "run", COLLECTION, *given, *exported],
        capture_output=True,
        text=True,
        check=False,
    )

    run = json.loads(report.read_text())["run"]
    failures = [(each["source"]["name"], each["error"]["test"]) for each in run["failures"]]
    assert failures == [], done.stdout
    assert run["stats"]["assertions"]["total"] > 200
    assert run["stats"]["requests"] == {"total": 32, "pending": 0, "failed": 0}


def test_it_is_short():
    lines = [line for path in FOLDER.glob("*.py") for line in path.read_text().splitlines()]

    assert sum(bool(line.strip()) for line in lines) <= MOST_LINES
