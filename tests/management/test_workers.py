"""Servers stop at any moment: while they start, while they serve, and when they don't want to."""

import os
import re
import signal
import socket
import subprocess
from contextlib import contextmanager

import pytest

from tests.console import answers, read_url
from tests.processes import ServerProcess, credentials, free_port, fresh_database, wait_until

ROLES = ("--settings", "settings.roles")


@pytest.fixture(scope="module")
def database():
    """Yield the URL of an empty database."""
    with fresh_database("workers") as url:
        yield url


@pytest.fixture
def workers(tmp_path, database):
    """Two workers of a service, not yet started."""
    return ServerProcess(tmp_path / "log", "--workers", "2", *ROLES, DATABASE_URL=database)


def test_workers_that_are_starting_can_be_stopped(workers):
    workers.start()
    try:
        wait_until(lambda: len(members(workers.process.pid)) > 3)  # the workers were begun
    finally:
        code = workers.stop()

    assert code == 0
    assert "Traceback" not in workers.output()


HEAVY = pytest.mark.acceptance  # the same again by another way
INTERRUPT = pytest.param(signal.SIGINT, marks=HEAVY)
ONE, TWO = (), ("--workers", "2")


@pytest.mark.parametrize("number", [INTERRUPT, signal.SIGTERM])
def test_one_process_goes_on_at_a_hang_up_and_stops_in_order(tmp_path, database, number):
    with ServerProcess(tmp_path / "log", *ROLES, DATABASE_URL=database) as server:
        server.process.send_signal(signal.SIGHUP)  # it has no terminal
        wait_until(lambda: "SIGHUP changes nothing here" in server.output())
        assert answers(f"{server.url}/roles")
        server.process.send_signal(number)
        assert server.process.wait(200) == 0

    assert "Worker complete" in server.output()


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [
        (signal.SIGTERM, True),
        pytest.param(signal.SIGTERM, False, marks=HEAVY),  # as in test_runserver.py
        pytest.param(signal.SIGINT, False, marks=HEAVY),
        pytest.param(signal.SIGINT, True, marks=HEAVY),
    ],
)
def test_no_worker_is_left_behind(workers, number, whole_group):
    with workers:
        wait_until(lambda: workers.output().count("Worker ready") == 2)
        if whole_group:  # a terminal, or an init system
            os.killpg(workers.process.pid, number)
        else:
            workers.process.send_signal(number)
        assert workers.process.wait(200) == 0
        wait_until(lambda: not members(workers.process.pid))

    assert workers.output().count("Worker complete") == 2
    assert "Traceback" not in workers.output()


def pids_of(server, text="Worker ready"):
    """Return the pids of the workers that said *text*."""
    return [int(pid) for pid in re.findall(rf"{text} \[(\d+)\]", server.output())]


def is_ready(port):
    """Return whether requests may be sent to the service with this operations port."""
    return read_url(f"http://127.0.0.1:{port}/readyz", timeout=30)[0] == 200


@pytest.mark.punctual
def test_a_manager_that_is_killed_takes_its_workers_along(tmp_path, database):
    port = free_port()
    server = ServerProcess(
        tmp_path / "log", "--workers", "1", *ROLES, DATABASE_URL=database, OPERATIONS_PORT=str(port)
    )
    with server:
        (first,) = pids_of(server)
        os.kill(first, signal.SIGSEGV)  # it is replaced
        wait_until(lambda: len(pids_of(server)) == 2)
        wait_until(lambda: is_ready(port))
        server.process.send_signal(signal.SIGHUP)
        while "all workers are renewed" not in server.output():
            assert is_ready(port)
        assert is_ready(port)  # the new one, from the first moment
        server.process.kill()
        server.process.wait(200)
        wait_until(lambda: not members(server.process.pid))
        for each in (server.port, port):
            socket.create_server(("127.0.0.1", each)).close()

    assert f"worker 0 (pid {first}), which served for" in server.output()
    assert "was killed by SIGSEGV; another takes its place at once" in server.output()
    assert pids_of(server, "Worker complete") == pids_of(server)[1:]


@pytest.mark.parametrize("arguments", [pytest.param(ONE, marks=HEAVY), TWO])
def test_a_hang_up_that_is_ignored_stays_so(tmp_path, database, arguments):
    server = ServerProcess(tmp_path / "log", *arguments, *ROLES, DATABASE_URL=database)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does
    try:
        server.start(usual=False)
    finally:
        signal.signal(signal.SIGHUP, before)

    with begun(server):
        os.killpg(server.process.pid, signal.SIGHUP)
        assert answers(f"{server.url}/roles")
        assert server.stop() == 0


@pytest.mark.parametrize("arguments", [ONE, pytest.param(TWO, marks=HEAVY)])
@pytest.mark.parametrize("number", [signal.SIGTERM, INTERRUPT])
def test_a_stop_is_heard_that_was_blocked_at_the_start(tmp_path, database, arguments, number):
    server = ServerProcess(tmp_path / "log", *arguments, *ROLES, DATABASE_URL=database)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        server.start(usual=False)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    with begun(server):
        server.process.send_signal(number)
        assert server.process.wait(200) == 0


@contextmanager
def begun(server):
    """Wait for a server that was started already, and stop it."""
    try:
        server.wait_ready()
        yield
    finally:
        server.stop()


def members(group: int) -> list[str]:
    """Return the processes of a group that are not over."""
    shown = subprocess.run(
        ["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in shown.stdout.splitlines()]
    return [row[2] for row in rows if row[0] == str(group) and not row[1].startswith("Z")]


def head_of_a_post(length: int) -> bytes:
    """Return the head of a request with a body of *length* bytes, from somebody who may write."""
    headers = {
        "Host": "localhost",
        "Content-Type": "application/json",
        "Content-Length": str(length),
        **credentials("roles:write"),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /roles HTTP/1.1\r\n{lines}\r\n".encode()


def test_a_second_signal_ends_workers_that_do_not_finish(workers):
    workers.env["GRACEFUL_SHUTDOWN_TIMEOUT"] = "280"  # which nobody waits for here
    with workers:
        wait_until(lambda: workers.output().count("Worker ready") == 2)
        with socket.create_connection(("127.0.0.1", workers.port)) as busy:
            busy.sendall(head_of_a_post(length=9) + b"{")
            workers.process.terminate()
            wait_until(lambda: "Stopping worker" in workers.output())
            code = workers.stop()

    assert code == 0


def test_a_second_signal_ends_a_server_at_once(tmp_path, database):
    server = ServerProcess(tmp_path / "log", *ROLES, DATABASE_URL=database)
    with server, socket.create_connection(("127.0.0.1", server.port)) as busy:
        busy.sendall(head_of_a_post(length=2) + b"{")
        server.process.terminate()
        wait_until(lambda: "Stopping worker" in server.output())
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(200) == 130

    assert "Ended at once by a second signal: SIGINT" in server.output()
    assert "Traceback" not in server.output()


def test_a_failed_start_of_workers_spares_the_process_group(tmp_path):
    nowhere = "postgresql://nobody@127.0.0.1:9/none"
    workers = ServerProcess(
        tmp_path / "log", "--workers", "2", "--no-migrate", *ROLES, DATABASE_URL=nowhere
    )
    workers.start()

    assert workers.process.wait(200) == 1  # the group would take the manager along: -9
    last = workers.output().splitlines()[-1]
    assert last.startswith("Error: DatabaseUnavailable")
    assert workers.output().count("\nError: ") == 1  # not once for each worker


@pytest.mark.parametrize(
    "hook",
    [
        "stop_before",
        "stop_after",
        "stop_within",
        "stop_between_runs_of_the_loop",
        "stop_soon_after",
    ],
)
def test_a_signal_in_the_middle_of_the_start_is_heard(python, database, hook):
    result = python(
        "-m",
        "msframework",
        "runserver",
        "--port",
        "0",
        DATABASE_URL=database,
        CONFIGURE=f"shop.hooks.{hook}",
    )

    assert result.returncode == 0, result.stderr
    assert "part started\n" in result.stdout
    assert "part stopped\n" in result.stdout
    assert "Traceback" not in result.stderr


def test_a_second_signal_interrupts_the_start(python, database):
    result = python(
        "-m",
        "msframework",
        "runserver",
        "--port",
        "0",
        DATABASE_URL=database,
        CONFIGURE="shop.hooks.insist",
    )

    assert result.returncode == 143
    assert "Ended at once by a second signal: SIGTERM" in result.stderr
