"""A service without a database, and those that cannot do without."""

import sys
import textwrap
from dataclasses import replace

import aiohttp
import pytest

from msframework import ImproperlyConfigured, create_app
from msframework.conf.settings import Settings
from msframework.management import execute

RESOURCES = """
from msframework import Blueprint, Resource

hooks = Blueprint("hooks", url_prefix="/hooks")


@hooks.resource("/")
class Hooks(Resource):
    async def get(self, request):
        return {"served": True}
"""
ASKING = {
    "a method": (
        RESOURCES.replace('return {"served": True}', "return request.app.db.acquire(request)"),
        "",
        "Hooks.get asks for app.db",
    ),
    "an inner function": (
        RESOURCES.replace(
            'return {"served": True}',
            "return await (lambda: request.app.db.acquire(request))()",
        ),
        "",
        "Hooks.get asks for app.db",
    ),
    "a cursor": (
        RESOURCES.replace("get(self, request)", "get(self, request, cur)"),
        "",
        "Hooks.get takes 'cur'",
    ),
    "a transaction of a provider": (
        RESOURCES.replace("get(self, request)", "get(self, request, items)")
        + "\n\nhooks.provide('items', lambda tx: tx)\n",
        "",
        "Hooks.get takes 'tx'",
    ),
    "a model": (
        RESOURCES,
        "from msframework.models import Model\n\n\nclass Thing(Model): ...\n",
        "models has the model Thing",
    ),
}


@pytest.fixture
def build(tmp_path, monkeypatch, request):
    """Write an app, and build the service of it without a database."""
    name = f"without_{abs(hash(request.node.name))}"
    monkeypatch.syspath_prepend(tmp_path)

    def build(resources, models="", **options):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "resources.py").write_text(resources)
        if models:
            (folder / "models.py").write_text(textwrap.dedent(models))
        options = {"debug": False, "service_name": "without", **options}
        return create_app(Settings(installed_apps=(name,), **options))

    yield build
    for module in [each for each in sys.modules if each.partition(".")[0] == name]:
        del sys.modules[module]


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "sanic"])
async def test_a_service_without_a_database_is_served(build, serve, fast):
    service = build(RESOURCES, server=replace(Settings(debug=False).server, fast_path=fast))
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        async with session.get(f"http://{host}:{port}/hooks") as response:
            assert await response.json() == {"code": 0, "data": {"served": True}}


@pytest.mark.parametrize("name", ASKING)
def test_what_needs_a_database_is_named(build, name):
    resources, models, said = ASKING[name]

    with pytest.raises(ImproperlyConfigured) as caught:
        build(resources, models)

    (problem,) = caught.value.problems
    assert problem.startswith("DATABASE_URL is not set and DEBUG is off, but ")
    assert said in problem


@pytest.mark.parametrize("name", ASKING)
def test_with_debug_the_embedded_database_serves(build, name):
    resources, models, _ = ASKING[name]

    assert build(resources, models, debug=True).operations


def test_check_and_openapi_do_without_a_database(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "lonely").mkdir()
    (tmp_path / "lonely" / "__init__.py").write_text("")
    (tmp_path / "lonely" / "views.py").write_text(RESOURCES)
    (tmp_path / "lonely_settings.py").write_text('INSTALLED_APPS = ("lonely",)\n')
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("SANIC_CONFIG_MODULE", "lonely_settings")  # as the command sets it

    assert execute(["check", "--settings", "lonely_settings"]) == 0
    assert "no mistakes found" in capsys.readouterr().out
