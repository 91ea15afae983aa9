"""`health`: whether a running service is ready, by its exit code and in one line."""

import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from msframework.conf.operations import OperationsSettings
from msframework.conf.settings import ServerSettings, Settings, TLSSettings
from msframework.exceptions import ImproperlyConfigured
from msframework.management import execute
from msframework.management.commands.health import (
    Target,
    ask,
    find_in_environment,
    find_in_settings,
    read_url,
)
from msframework.operations.server import OperationsServer
from msframework.operations.source import Report
from tests.console import ROOT
from tests.operations.conftest import SteeredSource


@contextmanager
def answering(sock, source=None):
    """Serve *source* on *sock*."""
    server = OperationsServer(sock, source or SteeredSource())
    server.start()
    try:
        yield
    finally:
        server.stop()


@pytest.fixture(scope="module")
def source():
    return SteeredSource()


@pytest.fixture(scope="module")
def port(source):
    """Yield the port of an operations server."""
    sock = socket.create_server(("127.0.0.1", 0))
    with answering(sock, source):
        yield sock.getsockname()[1]


@pytest.fixture
def refused():
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("OPERATIONS_PORT", "OPERATIONS_HOST", "HOST", "PORT", "SANIC_CONFIG_MODULE"):
        monkeypatch.setenv(name, "")  # so that it is undone
        monkeypatch.delenv(name)


@pytest.fixture
def settings_module(tmp_path, monkeypatch):
    """Return a function that writes a settings module, and gives its name."""

    def write(text):
        (tmp_path / "health_settings.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "health_settings", raising=False)
        return "health_settings"

    yield write
    sys.modules.pop("health_settings", None)


def test_a_service_that_is_ready_is_0(source, port, capsys):
    source.__init__()

    assert execute(["health", "--url", f"http://127.0.0.1:{port}"]) == 0
    assert capsys.readouterr().out == "ready\n"


def test_a_service_that_is_not_is_1_and_says_why(source, port, capsys):
    source.ready = Report(False, {"db": "no answer", "mailer": None, "service a": "gone"})

    assert execute(["health", "--url", f"http://127.0.0.1:{port}/"]) == 1
    assert capsys.readouterr().err == "not ready: db: no answer; service a: gone\n"


def test_the_environment_says_where(source, port, capsys, monkeypatch):
    source.__init__()
    monkeypatch.setenv("OPERATIONS_PORT", str(port))

    assert execute(["health", "--settings", "none.such"]) == 0  # which is not read


def test_the_settings_say_where_if_nobody_listens_there(monkeypatch, settings_module):
    # NOTE: a service whose host only its settings know is not found at the usual one.
    with socket.create_server(("127.0.0.2", 0)) as sock:
        own = sock.getsockname()[1]
        monkeypatch.setenv("OPERATIONS_PORT", str(own))
        module = settings_module("OPERATIONS_HOST = '127.0.0.2'\n")
        with answering(sock):
            assert execute(["health", "--settings", module]) == 0


def test_a_service_that_is_not_there_is_1(refused, capsys, settings_module):
    module = settings_module(f"OPERATIONS_PORT = {refused}\n")

    assert execute(["health", "--settings", module]) == 1
    assert capsys.readouterr().err == "not ready: no connection (Connection refused)\n"


def test_a_service_that_is_silent_is_1_in_time(capsys):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"

        assert execute(["health", "--url", url, "--timeout", "0.1"]) == 1
        assert capsys.readouterr().err == "not ready: no answer within 0.1 s\n"


def test_another_path_says_no_more_than_its_status(port, capsys):
    assert execute(["health", "--url", f"http://127.0.0.1:{port}/else"]) == 1
    assert capsys.readouterr().err == "not ready: it answers 404\n"


def test_what_speaks_no_http_is_1(tmp_path, capsys):
    ours, theirs = socket.socketpair()
    theirs.sendall(b"220 mail ready\r\n")
    target = Target("127.0.0.1", 1)
    connection = target.connect(1)
    connection.sock = ours

    class Given(Target):
        def connect(self, timeout):
            return connection

    assert ask(Given("a"), 1) == (False, "not ready: no connection (BadStatusLine)")
    theirs.close()


def test_a_socket_of_a_path_is_asked(tmp_path_factory, capsys):
    path = tmp_path_factory.mktemp("h") / "o.sock"
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    with answering(sock):
        assert execute(["health", "--url", f"unix:{path}"]) == 0
        settings = Settings(operations=OperationsSettings(port=0, host=f"unix:{path}"))
        assert ask(find_in_settings(settings), 2) == (True, "ready")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://a", Target("a", 80)),
        ("http://a:9000/", Target("a", 9000)),
        ("http://[::1]:9000/x", Target("::1", 9000, "/x")),
        ("https://a", Target("a", 443, secure=True)),
        ("unix:/run/a", Target("unix:/run/a")),
    ],
)
def test_an_address_is_read(url, target):
    assert read_url(url) == target


@pytest.mark.parametrize("url", ["a:9000", "ftp://a", "http://a:x", ""])
def test_what_is_no_address_is_a_wrong_command_line(url, capsys):
    assert execute(["health", "--url", url]) == 2
    assert "Write http://127.0.0.1:9000" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "target"),
    [
        ({}, None),
        ({"OPERATIONS_PORT": "0"}, None),
        ({"OPERATIONS_PORT": "x"}, None),
        ({"OPERATIONS_PORT": "9000"}, Target("", 9000)),
        ({"OPERATIONS_PORT": "9000", "HOST": "::"}, Target("::", 9000)),
        ({"OPERATIONS_PORT": "9000", "HOST": "unix:/a"}, Target("127.0.0.1", 9000)),
        (
            {"OPERATIONS_PORT": "9000", "HOST": "a", "OPERATIONS_HOST": "unix:/b"},
            Target("unix:/b", 9000),
        ),
        ({"OPERATIONS_PORT": "0", "OPERATIONS_HOST": "unix:/b"}, Target("unix:/b")),
        ({"OPERATIONS_PORT": "9000", "OPERATIONS_HOST": "fd:4"}, None),
    ],
    ids=["none", "any", "wrong", "port", "host", "beside", "path", "any path", "inherited"],
)
def test_the_environment_is_read(variables, target):
    assert find_in_environment(variables) == target


@pytest.mark.parametrize(
    ("settings", "target"),
    [
        (
            Settings(operations=OperationsSettings(port=9000)),
            Target("127.0.0.1", 9000),
        ),
        (
            Settings(debug=True, server=ServerSettings(url_prefix="/api")),
            Target("127.0.0.1", 8000, "/api/readyz"),
        ),
        (
            Settings(debug=True, tls=TLSSettings(cert="c", key="k")),
            Target("127.0.0.1", 8000, secure=False),
        ),
    ],
    ids=["port", "debug", "tls"],
)
def test_the_settings_are_read(settings, target):
    assert find_in_settings(settings) == target


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(), "OPERATIONS_PORT is not set; expected"),
        (Settings(operations=OperationsSettings(port=0)), "OPERATIONS_PORT is 0 at '127.0.0.1'"),
        (Settings(operations=OperationsSettings(port=0, host="fd:4")), "is 0 at 'fd:4'"),
        (Settings(debug=True, server=ServerSettings(host="fd:3")), "PORT is 8000 at 'fd:3'"),
    ],
    ids=["none", "any", "inherited", "own"],
)
def test_a_port_that_cannot_be_known_is_said(settings, said):
    with pytest.raises(ImproperlyConfigured, match=said):
        find_in_settings(settings)


@pytest.mark.parametrize(
    ("host", "name"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("[::1]", "::1"), ("a", "a")]
)
def test_all_addresses_of_a_machine_are_asked_at_one(host, name):
    assert Target(host, 9000).connect(1).host == name


def test_it_imports_neither_sanic_nor_what_only_a_server_needs():
    heavy = ["sanic", "asyncpg", "aiohttp", "peewee", "orjson", "uvloop"]
    code = (
        "import sys, msframework, msframework.management.cli\n"
        "import msframework.management.commands.health\n"
        f"print(*(name for name in {heavy} if name in sys.modules))"
    )

    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert ran.stdout.strip() == ""
