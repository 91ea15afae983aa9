"""Servers stop at any moment: while they start, while they serve, and when they don't want to."""

import socket
import time

import pytest

from tests.processes import ServerProcess, fresh_database

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


def wait_until(condition) -> None:
    """Wait until *condition* holds; there is nothing to await in another process."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_workers_that_are_starting_can_be_stopped(workers):
    workers.start()
    wait_until(lambda: "in 2 workers" in workers.output())

    code = workers.stop()

    assert code == 0
    assert "Traceback" not in workers.output()


def test_a_second_signal_ends_workers_that_do_not_finish(workers):
    with workers:
        wait_until(lambda: workers.output().count("Worker ready") == 2)
        with socket.create_connection(("127.0.0.1", workers.port)) as busy:
            busy.sendall(b"POST /roles HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
            began = time.monotonic()
            workers.process.terminate()
            wait_until(lambda: "Stopping worker" in workers.output())
            code = workers.stop()

    assert code == 0
    assert time.monotonic() - began < 10  # the grace period alone is 15 seconds


def test_a_second_signal_lets_a_server_finish_that_stops(tmp_path, database):
    server = ServerProcess(tmp_path / "log", *ROLES, DATABASE_URL=database)
    with server, socket.create_connection(("127.0.0.1", server.port)) as busy:
        busy.sendall(
            b"POST /roles HTTP/1.1\r\nHost: a\r\n"
            b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{"
        )
        server.process.terminate()
        wait_until(lambda: "Stopping worker" in server.output())
        server.process.terminate()
        server.process.terminate()
        busy.sendall(b"}")
        assert busy.recv(1000).startswith(b"HTTP/1.1 422 ")
        code = server.stop()

    assert code == 0
    assert "Traceback" not in server.output()


def test_a_failed_start_of_workers_spares_the_process_group(tmp_path):
    nowhere = "postgresql://nobody@127.0.0.1:9/none"
    workers = ServerProcess(
        tmp_path / "log", "--workers", "2", "--no-migrate", *ROLES, DATABASE_URL=nowhere
    )
    workers.start()

    assert workers.process.wait(40) == 1  # the group would take the manager along: -9


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

    assert result.returncode == 130
    assert result.stderr.endswith("Interrupted.\n")
