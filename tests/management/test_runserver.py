"""`runserver`: real server processes, from the first line they print to their exit code."""

import json
import os
import re
import shutil
import socket
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from msframework.conf.settings import ServerSettings, Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.management.sockets import listen
from tests.console import ROOT, read_url
from tests.processes import ServerProcess, credentials, free_port, fresh_database


@pytest.fixture(scope="module")
def database():
    """Yield the URL of an empty database."""
    with fresh_database("runserver") as url:
        yield url


def get(url: str):
    """Return the data that *url* answers."""
    request = urllib.request.Request(url, headers=credentials())
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_one_worker_serves_in_its_own_process(tmp_path):
    with fresh_database("runserver_alone") as database:
        settings = ("--settings", "settings.roles")
        server = ServerProcess(tmp_path / "log", *settings, DATABASE_URL=database)
        with server:
            body = get(f"{server.url}/roles/")
            code = server.stop()

    output = server.output()
    assert body["code"] == 0
    assert code == 0
    assert "Applied 1 pending migration." in output
    assert f"roles serves at {server.url}/ in 1 process (pid {server.process.pid})" in output
    assert f"Documentation: {server.url}/docs" in output
    assert "Traceback" not in output
    assert "DeprecationWarning" not in output


def test_more_workers_share_the_port_and_the_settings(tmp_path, database):
    server = ServerProcess(
        tmp_path / "log", "--settings", "settings.roles", WORKERS="2", DATABASE_URL=database
    )

    with server:  # as soon as it says that it serves, every worker does
        body = get(f"{server.url}/roles/")
        code = server.stop()

    output = server.output()
    assert body["code"] == 0
    assert code == 0
    assert "in 2 workers" in output
    assert output.count("Worker ready") == 2
    assert output.rindex("Worker ready") < output.index("serves at")
    assert output.count("Worker complete") == 2
    assert "Traceback" not in output


def test_a_start_that_fails_is_exit_code_1(tmp_path):
    server = ServerProcess(
        tmp_path / "log",
        "--no-migrate",
        "--settings",
        "settings.roles",
        DATABASE_URL="postgresql://nobody@127.0.0.1:9/none",
    )
    server.start()

    assert server.process.wait(200) == 1
    last = server.output().splitlines()[-1]
    assert last.startswith("Error: DatabaseUnavailable")
    assert "Connect" in last


def test_migrations_wait_when_they_are_told_to(tmp_path):
    with fresh_database("nomigrate") as url:
        server = ServerProcess(
            tmp_path / "log", "--no-migrate", "--settings", "settings.roles", DATABASE_URL=url
        )

        with server:
            server.stop()

    assert "Applied" not in server.output()
    assert (
        "1 migration is pending (roles.0001_initial): `python manage.py migrate` applies them."
        in server.output()
    )


@pytest.fixture
def manage(project):
    """Give the project its `manage.py`."""
    (project / "manage.py").write_text(
        "from msframework.management import execute\n"
        "import sys\n"
        'if __name__ == "__main__":\n'
        '    sys.exit(execute(default_settings="shop.settings"))\n'
    )


@pytest.mark.parametrize("workers", [(), ("--workers", "1")], ids=["process", "worker"])
@pytest.mark.usefixtures("manage")
def test_a_full_disk_for_its_output_keeps_no_service_from_serving(project, workers):
    server = ServerProcess(
        Path("/dev/full"), *workers, cwd=project, DEBUG="0", INSTALLED_APPS="", PYTHONPATH=str(ROOT)
    )
    server.start()
    try:
        wait_until(lambda: status(f"{server.url}/openapi/spec.json") == 200)
    finally:
        code = server.stop()

    assert code == 0


@pytest.fixture
def reloading(manage, project, tmp_path, database):
    """Return a server that starts again when a file of the project changes; not yet started."""
    return ServerProcess(
        tmp_path / "log", "--reload", cwd=project, DATABASE_URL=database, PYTHONPATH=str(ROOT)
    )


@pytest.fixture
def change(project):
    """Change what the project's resource answers; undone afterwards."""
    resources = project / "shop" / "orders" / "resources.py"
    before = resources.read_text()

    yield lambda: resources.write_text(before.replace('{"id": id}', '{"id": id + 1}'))
    resources.write_text(before)


@pytest.mark.acceptance  # the next test sees a change, too
def test_a_change_of_a_file_starts_the_workers_again(reloading, change):
    with reloading:
        assert get(f"{reloading.url}/orders/5")["data"] == {"id": 5}
        change()
        wait_until(lambda: get(f"{reloading.url}/orders/5")["data"] == {"id": 6})


@pytest.mark.acceptance
def test_a_change_before_the_reloader_looks_is_seen(reloading, change, tmp_path):
    word = tmp_path / "word"
    os.mkfifo(word)
    reloading.env |= {"CONFIGURE": "shop.hooks.look_late", "WORD": str(word)}

    with reloading:
        change()
        with word.open("w"):  # the reloader's process has started, and looks from now on
            pass
        wait_until(lambda: get(f"{reloading.url}/orders/5")["data"] == {"id": 6})


HOOK = """
async def fail(*_):
    raise RuntimeError("no start")


def configure(service):
    service.register_listener(fail, "before_server_start")
"""


def test_a_mistake_is_said_and_the_server_recovers(reloading, project):
    resources = project / "shop" / "orders" / "resources.py"
    url = f"{reloading.url}/orders/5"

    with reloading:
        with mistaken(resources, "def x(:") as line:
            wait_until(lambda: status(url) == 503)
            answer = refused(url)
            assert f"(shop/orders/resources.py:{line}: def x(:)" in answer["error"]
            assert answer["error"] in reloading.output()
        wait_until(lambda: status(url) == 200)
        assert reloading.stop() == 0


@pytest.mark.acceptance  # the same again, for other mistakes
def test_one_mistake_after_the_other_is_said(reloading, project):
    (project / "shop" / "failing.py").write_text(HOOK)
    resources = project / "shop" / "orders" / "resources.py"
    settings = project / "shop" / "settings.py"
    url = f"{reloading.url}/orders/5"

    with reloading:
        with mistaken(resources, "def x(:"):
            wait_until(lambda: status(url) == 503)
            resources.write_text("another mistake")
            wait_until(lambda: "another mistake" in refused(url)["error"])
        wait_until(lambda: status(url) == 200)
        with mistaken(settings, "CONFIGURE = 'shop.failing.configure'"):
            wait_until(lambda: status(url) == 503)
        wait_until(lambda: status(url) == 200)
        assert reloading.stop() == 0

    assert "RuntimeError: no start" in reloading.output()


@contextmanager
def mistaken(path, mistake):
    """Add a line to a file for a while; yields its number."""
    before = path.read_text()
    path.write_text(f"{before}\n{mistake}\n")
    try:
        yield before.count("\n") + 2
    finally:
        path.write_text(before)


def test_a_migration_that_is_written_meanwhile_is_applied(reloading, python, project, database):
    reloading.env["AUTO_MIGRATE"] = "1"

    with reloading:
        assert "Models are ahead of the migrations (orders): `python manage.py" in (
            reloading.output()
        )
        written = python("manage.py", "makemigrations", "orders", DATABASE_URL=database)
        assert written.returncode == 0, written.stderr
        wait_until(lambda: "Applied 1 pending migration." in reloading.output())
        wait_until(lambda: get(f"{reloading.url}/orders/5"))

    assert "Applying orders.0001_initial" in reloading.output()
    shutil.rmtree(project / "shop" / "orders" / "migrations")


def status(url: str) -> int:
    """Return the status that *url* is answered with."""
    return read_url(url)[0]


def refused(url: str):
    """Return what a failure of *url* holds."""
    code, body = read_url(url, timeout=30)
    assert code >= 400
    return json.loads(body)


def wait_until(condition) -> None:
    """Wait until *condition* holds; a server that starts again refuses connections meanwhile."""
    deadline = time.monotonic() + 200
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, "the change was not served"
        time.sleep(0.1)


def test_an_address_that_is_taken_is_one_paragraph(run):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]

        with pytest.raises(ImproperlyConfigured, match=f"'127.0.0.1' and {port}.*in use"):
            listen(Settings(server=ServerSettings(port=port)))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.1"])
def test_an_address_that_is_not_ours_is_refused(host):
    with pytest.raises(ImproperlyConfigured, match=re.escape(host)):
        listen(Settings(server=ServerSettings(host=host, port=0)))


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", "AF_INET"), ("[::1]", "AF_INET6")])
def test_a_free_port_is_found_for_port_0(host, family):
    with socket.socket(getattr(socket, family)) as probe:
        try:
            probe.bind((host.strip("[]"), 0))
        except OSError:
            pytest.skip("this machine has no such address")
    with listen(Settings(server=ServerSettings(host=host, port=0))) as sock:
        assert sock.getsockname()[1] != 0


def test_development_settings_are_refused_on_other_addresses(run):
    code, out, err = run("runserver", "--host", "0.0.0.0", "--port", str(free_port()))

    assert (code, out) == (1, "")
    assert "DEBUG is on and HOST is '0.0.0.0'" in err


@pytest.mark.parametrize("option", [("--port", "99999"), ("--workers", "0"), ("--port", "x")])
def test_options_out_of_range_are_usage_errors(run, option):
    code, _, err = run("runserver", *option)

    assert code == 2
    assert option[0] in err
