"""What a process serves under `--reload` when the service cannot be built."""

import subprocess
import sys

import aiohttp
import pytest
from peewee import ProgrammingError
from sanic import Sanic

from msframework.app import Service
from msframework.conf.settings import DatabaseSettings, Settings, TLSSettings
from msframework.exceptions import ImproperlyConfigured
from msframework.management.commands.migrate import tell_missing
from msframework.management.start import Start, StartMode, stand_in
from msframework.metrics import Metrics
from msframework.metrics.catalogue import WORKER_STARTS
from msframework.metrics.process import START_REASON, START_REASONS, GarbageWatch
from msframework.migrations.runner import Runner
from tests.certificates import Authority
from tests.console import ROOT, environment

RESOURCES = """
from msframework import Blueprint, Resource

things = Blueprint("things", url_prefix="/things")


@things.resource("/")
class Things(Resource):
    async def get(self, request):
        return 1
"""
SETTINGS = """
DEBUG = True
SERVICE_NAME = "shop"
INSTALLED_APPS = ("reloaded",)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write a project whose files a test may spoil, and give its folder."""
    (tmp_path / "reloaded").mkdir()
    (tmp_path / "reloaded" / "__init__.py").touch()
    (tmp_path / "reloaded" / "resources.py").write_text(RESOURCES)
    (tmp_path / "reloaded" / "settings.py").write_text(SETTINGS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "reloaded"]:
        del sys.modules[name]


def spoil(path, line):
    path.write_text(f"{path.read_text()}{line}\n")


def begin(**changes):
    usual = {"reload": True, "migrate": True, "shown": True, "mode": StartMode.RENEWED}
    options = {**usual, **changes}
    return Start("reloaded.settings", "shop", **options)()


@pytest.mark.parametrize(
    ("given", "counted"), [("hung", "hung"), (None, "first"), ("x", "first")], ids=str
)
async def test_a_start_is_counted_by_its_occasion(monkeypatch, given, counted):
    monkeypatch.delenv(START_REASON, raising=False)
    if given is not None:
        monkeypatch.setenv(START_REASON, given)
    metrics = Metrics()
    watch = GarbageWatch(metrics)

    await watch.start()
    await watch.stop()

    found = {series.labels[0]: series.value for series in metrics.register(WORKER_STARTS)}
    assert found == dict.fromkeys(START_REASONS, 0.0) | {counted: 1.0}


def test_what_can_be_built_is_served(project):
    service = begin()

    assert [operation.path for operation in service.operations] == ["/things"]


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("resources", "def x(:", "SyntaxError: invalid syntax (reloaded/resources.py:11: def x(:)"),
        ("resources", "import nothing", "'nothing' (reloaded/resources.py:11: import nothing)"),
        ("resources", "1 / 0", "ZeroDivisionError: division by zero (reloaded/resources.py:11"),
        ("resources", "raise SystemExit(3)", "SystemExit: 3 (reloaded/resources.py:11"),
        ("resources", "things.resource('/')(Things)", "Things"),
        ("settings", "PROT = 80", "reloaded.settings: PROT is unknown"),
        ("settings", "PASSWORD = 's3cret", "unterminated string literal"),
        ("settings", "INSTALLED_APPS = ('nowhere',)", "there is no package 'nowhere'"),
        ("settings", "CONFIGURE = 'reloaded.resources.nothing'", "has no name 'nothing'"),
    ],
)
async def test_a_mistake_is_said_and_answered_with_503(
    project, capsys, service_answer, name, line, said
):
    spoil(project / "reloaded" / f"{name}.py", line)

    service = begin()

    status, body = await service_answer(service, "/anything?a=1")
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed
    assert "s3cret" not in printed
    assert status == 503
    assert body["code"] == 100503
    assert said in body["error"]


async def test_strangers_are_not_told_why(project, capsys, service_answer):
    spoil(project / "reloaded" / "resources.py", "def x(:")

    status, body = await service_answer(begin(shown=False), "/things")

    assert (status, body) == (503, {"code": 100503, "message": "Service Unavailable"})


async def test_a_service_that_failed_to_start_is_stood_in_for(project, service_answer):
    status, body = await service_answer(begin(mode=StartMode.STAND_IN), "/things")

    assert status == 503
    assert "failed when it started" in body["error"]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (ImproperlyConfigured("no database"), []),
        (
            ProgrammingError("permission denied for table migrate_record"),
            ["It cannot be told whether migrations are pending: ProgrammingError."],
        ),
    ],
)
def test_what_cannot_be_told_of_migrations_stops_no_start(monkeypatch, failure, said):
    def fail(runner):
        raise failure

    monkeypatch.setattr(Runner, "pending", fail)
    database = DatabaseSettings(url="postgresql://nobody@127.0.0.1:9/none")
    told = []

    tell_missing(Settings(database=database), told.append)

    assert told == said


def test_without_reload_a_mistake_is_an_error(project):
    spoil(project / "reloaded" / "settings.py", "PROT = 80")

    with pytest.raises(Exception, match="PROT"):
        begin(reload=False)


def test_a_stand_in_takes_the_place_of_what_is_half_built(make_service):
    half = make_service(service_name="shop")

    assert stand_in("shop", "why") is Sanic.get_app("shop")
    assert isinstance(half, Service)


def test_a_stand_in_speaks_tls_where_its_files_allow_it(make_service, tmp_path):
    pair = Authority(tmp_path).issue()

    secured = stand_in("shop", "why", TLSSettings(pair.cert, pair.key))
    plain = stand_in("shop", "why", TLSSettings(pair.cert, "/no/such.key"))

    assert secured._serving.tls is not None
    assert plain._serving.tls is None


@pytest.fixture
def service_answer(serve):
    """Return a function that serves a service and gives status and body of one answer."""

    async def answer(service, path):
        service.config.TOUCHUP = False
        async with serve(service) as (host, port), aiohttp.ClientSession() as session:
            for method in ("POST", "GET"):
                async with session.request(method, f"http://{host}:{port}{path}") as response:
                    body = await response.json()
            return response.status, body

    return answer


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 0), ("SIGINT", 130)])
def test_a_signal_is_heard_before_the_command_is_there(tmp_path, name, code):
    (tmp_path / "early.py").write_text(
        f"import os, signal\nos.kill(os.getpid(), signal.{name})\nDEBUG = True\n"
    )
    command = f"{sys.executable} -m msframework runserver --settings early --port 0"

    done = subprocess.run(
        # What a shell starts in the background ignores SIGINT (POSIX, XCU 2.11).
        ["sh", "-c", f"trap '' INT; exec {command}"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=f"{ROOT}:{tmp_path}"),
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )

    assert (done.returncode, done.stdout) == (code, ""), done.stderr


@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.acceptance)])
def test_a_signal_is_heard_whose_exception_was_swallowed(tmp_path, name):
    (tmp_path / "early.py").write_text(
        "import os, signal\n"
        "class Swallowing:\n"
        "    def __del__(self):\n"
        f"        os.kill(os.getpid(), signal.{name})\n"
        "Swallowing()\nDEBUG = True\nDATABASE_URL = None\nDRAIN_DELAY = 0\n"
    )

    done = subprocess.run(
        [sys.executable, "-m", "msframework", "runserver", "--settings", "early", "--port", "0"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=f"{ROOT}:{tmp_path}"),
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "Exception ignored" in done.stderr
