"""The fixtures, in a project of their own and a pytest of its own."""

import os

import psycopg
import pytest

from msframework.testing import plugin
from msframework.testing.plugin import find_settings
from tests.console import ROOT
from tests.testing.conftest import MODELS, RESOURCES

pytest_plugins = ["pytester"]

SETTINGS = """
SERVICE_NAME = "shop"
INSTALLED_APPS = ("shop",)
SERVICES = {"regions": {"url": "http://127.0.0.1:9"}}
ACCESS_LOG = False
TRACE_LOG = False
"""
INI = """[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
addopts = -p no:cacheprovider -p no:hypothesispytest
"""


@pytest.fixture
def project(pytester, monkeypatch, server_url):
    """A project with an app `shop`; its tests are added with `project.makepyfile`."""
    pytester.makefile(".ini", pytest=INI)
    pytester.makepyfile(
        **{
            "manage": "",
            "settings/__init__": "",
            "settings/test": SETTINGS,
            "shop/__init__": "",
            "shop/models": MODELS,
            "shop/resources": RESOURCES,
        }
    )
    monkeypatch.setenv("DATABASE_URL", server_url)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("SANIC_CONFIG_MODULE", raising=False)
    monkeypatch.delenv("PYTEST_TIMEOUT", raising=False)
    return pytester


def run(project, *arguments):
    return project.runpytest_subprocess("-p", "msframework.testing.plugin", *arguments)


@pytest.mark.acceptance  # three processes of pytest
def test_processes_have_databases_of_their_own_from_a_template_that_is_kept(project):
    test = """
        async def test_{0}(db):
            async with db.acquire() as cur:
                print("name:", await cur.fetchval("SELECT current_database()"))
                assert await cur.fetchval("SELECT count(*) FROM items") == 0
        """
    project.makepyfile(**{f"test_{name}": test.format(name) for name in ("one", "two")})
    options = ("-n", "2", "--dist", "loadfile", "--reuse-db", "-rP")

    result = run(project, *options)

    result.assert_outcomes(passed=2)
    result.stdout.re_match_lines_random([r"name: .*_test_gw0_\d+$", r"name: .*_test_gw1_\d+$"])
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        left = [
            name
            for (name,) in connection.execute(
                "SELECT datname FROM pg_database WHERE datname LIKE '%_test_template_%' "
                "AND shobj_description(oid, 'pg_database') LIKE '% kept by %'"
            )
        ]
        assert len(left) == 1
        connection.execute(f"DROP DATABASE {left[0]}")


def test_the_fixtures_work_together_and_an_unexpected_call_fails_its_test(project):
    project.makepyfile(
        test_shop="""
        import pytest

        async def test_create(client, db):
            created = await client.create_item(data={"name": "a"})
            assert created.json == {"code": 0, "data": {"id": 1}}
            async with db.acquire() as cur:
                assert await cur.fetchval("SELECT name FROM items") == "a"

        async def test_each_test_finds_the_tables_empty(client):
            assert (await client.get("/items")).json["data"] == 0
            assert (await client.create_item(data={"name": "a"})).json["data"] == {"id": 1}

        async def test_what_a_test_writes_the_service_reads(client, db):
            async with db.transaction() as cur:
                await cur.execute("INSERT INTO owners (name) VALUES ('o')")
                await cur.execute("INSERT INTO items (owner_id, name) SELECT id, 'x' FROM owners")
            assert (await client.count_items()).json["data"] == 1

        async def test_services(client, services):
            services.get("/cities/1", payload={"name": "a"})
            services.get("http://host:9000/roles/2", payload={"name": "b"})
            assert (await client.get_city(id=1)).json["data"] == {"name": "a"}
            assert (await client.get_role(id=2)).json["data"] == {"name": "b"}

        def test_one_app_for_the_run(app, settings):
            assert app.settings.services["regions"].url != settings.services["regions"].url
            assert app.settings.database.url != settings.database.url

        def test_the_time_limit(request):
            assert request.config.option.timeout == 60
        """,
        test_unexpected="""
        async def test_unnoticed(client):
            await client.get_city(id=7)

        async def test_noticed(client):
            answer = await client.get_city(id=8)
            assert answer.status == 200

        async def test_next(client, services):
            assert services.calls == []
        """,
    )

    result = run(project)

    result.assert_outcomes(passed=7, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*unexpected call to another service:",
            "*GET /cities/7 of regions",
            "*unexpected call to another service: GET /cities/8 of regions",
            "FAILED test_unexpected.py::test_unnoticed*",
            "FAILED test_unexpected.py::test_noticed*",
        ]
    )


@pytest.mark.acceptance
def test_without_a_database_only_db_is_refused(project, monkeypatch):
    project.makepyfile(
        conftest="""
            import pytest
            from msframework.conf.settings import Settings

            @pytest.fixture(scope="session")
            def settings():
                return Settings(service_name="shop", installed_apps=())
            """,
        test_shop="""
            async def test_client(client):
                assert (await client.get("/nowhere")).status == 404

            async def test_db(db):
                pass
            """,
    )

    result = run(project)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*the settings give no database*"])


def test_the_settings_module_is_that_of_the_environment(tmp_path, monkeypatch):
    (tmp_path / "settings_of_a_run.py").write_text(SETTINGS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SANIC_CONFIG_MODULE", "settings_of_a_run")

    found = find_settings()

    assert (found.module, found.service_name) == ("settings_of_a_run", "shop")


@pytest.mark.acceptance
def test_without_settings_for_tests_those_of_development_serve(project):
    (project.path / "settings/test.py").rename(project.path / "settings/development.py")
    project.makepyfile(test_shop="async def test_it(client): await client.get('/items')")

    run(project).assert_outcomes(passed=1)


def test_a_run_without_settings_says_how_to_give_some(monkeypatch):
    monkeypatch.delenv("SANIC_CONFIG_MODULE", raising=False)
    monkeypatch.setattr(plugin, "DEFAULT_SETTINGS", ("nowhere.test", "nowhere.development"))

    with pytest.raises(pytest.UsageError, match=r"neither nowhere\.test nor nowhere\.development"):
        find_settings()


def configure(project, *arguments):
    """Return the configuration of a run that is not begun."""
    return project.parseconfigure("-p", "msframework.testing.plugin", *arguments)


@pytest.mark.parametrize("how", ["ini", "option", "environment"])
def test_a_time_limit_of_the_project_counts(project, monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv("PYTEST_TIMEOUT", "7")
    if how == "ini":
        project.makefile(".ini", pytest=INI + "timeout = 7\n")

    config = configure(project, *(["--timeout=7"] if how == "option" else []))

    assert config._env_timeout == 7


def test_there_is_no_time_limit_without_the_timeout_plugin(project):
    assert not hasattr(configure(project, "-p", "no:timeout").option, "timeout")
