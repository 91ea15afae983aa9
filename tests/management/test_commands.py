"""`routes`, `check`, `shell` and `test`, on a small project."""

import json
import shutil

import pytest

from tests.console import ROOT
from tests.processes import fresh_database


def test_routes_lists_the_operations(run):
    code, out, _ = run("routes")

    heads, *rows = out.splitlines()
    assert code == 0
    assert heads.split() == ["method", "path", "name", "id", "where"]
    assert rows[0].split()[:3] == ["GET", "/orders/<id:int>", "OrderDetail.get"]
    assert "shop" in rows[0]
    assert len(rows) == 1


def test_routes_as_json(run):
    code, out, _ = run("routes", "--json")

    (row,) = json.loads(out)
    assert code == 0
    assert (row["method"], row["name"]) == ("GET", "OrderDetail.get")
    assert row["inputs"] == []


def test_routes_prints_a_compiled_handler_by_name_and_by_id(run):
    (row,) = json.loads(run("routes", "--json")[1])

    by_name = run("routes", "--source", "OrderDetail.get")
    by_id = run("routes", "--source", row["id"])

    assert by_name == by_id
    assert by_name[0] == 0
    assert "async def handle_" in by_name[1]
    compile(by_name[1], "handler", "exec")


def test_routes_suggests_the_nearest_name(run):
    code, out, err = run("routes", "--source", "OrderDetial.get")

    assert (code, out) == (1, "")
    assert "There is no operation 'OrderDetial.get'. Did you mean OrderDetail.get?" in err


def test_check_reports_what_was_compiled(run):
    code, out, err = run("check")

    assert (code, err) == (0, "")
    assert out == ("shop.settings: 1 operations compiled, 1 paths documented, no mistakes found.\n")


@pytest.fixture
def migration(project):
    """The place of a migration of the app, which is gone afterwards."""
    package = project / "shop" / "orders" / "migrations"
    package.mkdir()
    yield package / "0001_initial.py"
    shutil.rmtree(package)


def test_check_for_a_deploy_asks_the_database(run, monkeypatch, migration):
    assert run("check", "--deploy", "--strict")[0] == 0
    migration.write_text("operations = ()\n")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert "DATABASE_URL is not set" in run("check", "--deploy")[2]
    with fresh_database("check_deploy") as url:
        monkeypatch.setenv("DATABASE_URL", url)

        code, out, err = run("check", "--deploy", "--strict")

    advice = "Apply it by `manage.py migrate` before this code serves."
    assert code == 1
    assert "1 warning." in out
    assert err == f"Warning: 1 migration is pending: orders.0001_initial. {advice}\n"


def test_check_reads_what_migrations_allow(run, migration):
    migration.write_text("operations = ()\nallow = {'no-such': 'why'}\n")

    code, _, err = run("check")

    assert code == 1
    assert "orders/migrations/0001_initial.py: allow names 'no-such', which is no rule." in err


def test_check_lists_settings_and_operations_and_hides_secrets(run, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann:s3cret@db/site")
    monkeypatch.setenv("DB_REPLICAS", "postgresql://ann:s3cret@db/site")
    monkeypatch.setenv("OPENAPI", "no")
    monkeypatch.setenv("ALLOWED_HOSTS", "a.example,.b.example")

    code, out, _ = run("check", "--verbose")

    assert code == 0
    assert "DEBUG" in out
    assert "('a.example', '.b.example')" in out
    assert "INSTALLED_APPS" in out
    assert "DATABASE_URL" in out
    assert "s3cret" not in out
    assert "/orders/<id:int>" in out
    assert "0 paths documented" in out
    assert "schemas, all of them compiled." in out


def test_check_names_what_schemas_leave_to_marshmallow(run, monkeypatch, project):
    monkeypatch.setenv("INSTALLED_APPS", "shop.hooked")
    hooked = project / "shop" / "hooked"
    hooked.mkdir(exist_ok=True)
    (hooked / "__init__.py").touch()
    (hooked / "resources.py").write_text(
        "from msframework import Blueprint, Schema, doc\n"
        "from msframework.schemas import fields\n"
        'hooked = Blueprint("hooked")\n'
        "class HookedSchema(Schema):\n"
        "    total = fields.Function(lambda order: 1)\n"
        '@hooked.get("/hooked")\n'
        "@doc.produces(HookedSchema)\n"
        "async def read_hooked(request): ...\n"
    )

    code, out, _ = run("check", "--verbose")

    assert code == 0
    assert "Left to marshmallow:" in out
    assert "total" in out


def test_check_lists_every_mistake(run, monkeypatch, project):
    monkeypatch.setenv("INSTALLED_APPS", "shop.wrong")
    wrong = project / "shop" / "wrong"
    wrong.mkdir(exist_ok=True)
    (wrong / "__init__.py").touch()
    (wrong / "resources.py").write_text(
        "from msframework import Blueprint, Resource\n"
        'wrong = Blueprint("wrong")\n'
        '@wrong.resource("/a/<id:int>")\n'
        "class A(Resource):\n"
        "    async def get(self, request): ...\n"
        "    async def put(self, request, id, nobody): ...\n"
    )

    code, _, err = run("check")

    assert code == 1
    assert "A.get" in err
    assert "nobody" in err
    assert "Traceback" not in err


@pytest.fixture(scope="module")
def database():
    """Yield the URL of an empty database."""
    with fresh_database("shell") as url:
        yield url


def test_the_shell_runs_code_with_app_db_and_models(python, database):
    result = python(
        "-m",
        "msframework",
        "shell",
        "-c",
        "async with db.acquire() as cur: print(await cur.fetchval('SELECT 41 + 1'))\n"
        "print(app.settings.module, Order.__name__)",
        DATABASE_URL=database,
    )

    assert (result.stdout, result.returncode) == ("42\nshop.settings Order\n", 0), result.stderr


def test_the_shell_runs_what_is_piped_in(python, database):
    result = python(
        "-m",
        "msframework",
        "shell",
        stdin="import asyncio\nfor n in range(2):\n    await asyncio.sleep(0)\n    print(n)\n",
        DATABASE_URL=database,
    )

    assert (result.stdout, result.returncode) == ("0\n1\n", 0), result.stderr


def test_the_shell_has_a_prompt_in_a_terminal(in_terminal, database):
    typed = (
        "import asyncio\nawait asyncio.sleep(0, 41) + 1\n1 / 0\nprint('still', 'here')\nexit()\n"
    )

    shown = in_terminal("shell", typed=typed, DATABASE_URL=database)

    assert "await works. In scope: app, db, Order." in shown
    assert "\r\n42\r\n" in shown
    assert "ZeroDivisionError" in shown
    assert "still here" in shown
    assert "Error:" not in shown.replace("ZeroDivisionError:", "")


def test_an_error_in_the_shell_is_an_exit_code(python, database):
    command = ("-m", "msframework", "shell", "-c")

    failed = python(*command, "print(nothing)", DATABASE_URL=database)
    left = python(*command, "raise SystemExit(5)", DATABASE_URL=database)

    assert failed.returncode == 1
    assert "NameError: name 'nothing' is not defined" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert left.returncode == 5


def test_tests_are_run_with_their_arguments(run, unwatched, project, database, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    tests = project / "shop" / "orders" / "tests"
    tests.mkdir(exist_ok=True)
    (tests / "test_shop.py").write_text("def test_one(): pass\ndef test_two(): assert False\n")

    code = run("test", str(tests), "-k", "two")[0]

    assert code == 1
    assert 'failures="1" skipped="0" tests="1"' in (project / "reports" / "junit.xml").read_text()
