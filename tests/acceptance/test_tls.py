"""`runserver` with TLS and other sockets, as processes: what SIGHUP does, and what is left."""

import fcntl
import os
import pty
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import termios

import pytest

from tests.certificates import Authority
from tests.console import ROOT, environment
from tests.processes import ServerProcess, fresh_database, wait_until

pytestmark = pytest.mark.acceptance
GET = b"GET /openapi/spec.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
WORKERS = pytest.mark.parametrize("workers", ["1", "2"])


@pytest.fixture(scope="module")
def database():
    with fresh_database("tls") as url:
        yield url


class QuietServer(ServerProcess):
    """A server that is ready when it says so, wherever it listens."""

    def wait_ready(self, timeout=40):
        wait_until(lambda: "serves at" in self.output() or self.process.poll() is not None)
        assert self.process.poll() is None, self.output()


def say(sock):
    """Ask over *sock*, and return the status line."""
    sock.sendall(GET)
    answer = b""
    while b"\r\n\r\n" not in answer:
        data = sock.recv(65536)
        assert data, answer
        answer += data
    length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(answer.partition(b"\r\n\r\n")[2]) < length:
        answer += sock.recv(65536)
    return answer.partition(b"\r\n")[0]


def secured(port, authority):
    context = ssl.create_default_context(cafile=authority.ca)
    sock = socket.create_connection(("127.0.0.1", port), timeout=60)
    return context.wrap_socket(sock, server_hostname="localhost")


def start_secured(folder, pair, database, *arguments):
    """Return a server with the certificate of *pair*, to be started."""
    return QuietServer(
        *(folder / "log", "--settings", "settings.roles", *arguments),
        DATABASE_URL=database,
        TLS_CERT=pair.cert,
        TLS_KEY=pair.key,
    )


def check_connections(port, trusted, refused):
    """Make some new connections, whose certificate is of *trusted* and not of *refused*."""
    for _ in range(8):
        with secured(port, trusted) as sock:
            assert say(sock) == b"HTTP/1.1 200 OK"
        with pytest.raises(ssl.SSLCertVerificationError):
            secured(port, refused)


def connect_several(port, authority):
    """Return connections that have each been answered once."""
    connections = [secured(port, authority) for _ in range(8)]
    for sock in connections:
        assert say(sock) == b"HTTP/1.1 200 OK"
    return connections


def hang_up(server, line):
    """Send SIGHUP to *server*, and wait until it says *line*."""
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: line in server.output())


def test_a_hang_up_signal_reads_certificates_anew_and_no_connection_is_lost(tmp_path, database):
    first, second = Authority(tmp_path / "first"), Authority(tmp_path / "second")
    pair, new = first.issue(), second.issue()
    with start_secured(tmp_path, pair, database) as server:
        assert f"https://127.0.0.1:{server.port}/" in server.output()
        connections = connect_several(server.port, first)

        shutil.copyfile(new.cert, pair.cert)
        hang_up(server, "the old ones stay")  # the new key is missing
        check_connections(server.port, first, second)
        shutil.copyfile(new.key, pair.key)
        hang_up(server, "were read anew")

        for sock in connections:
            assert say(sock) == b"HTTP/1.1 200 OK"
            sock.close()
        check_connections(server.port, second, first)
        assert server.stop() == 0
    assert "Traceback" not in server.output()


@WORKERS
def test_a_hang_up_signal_renews_workers_with_their_certificates(workers, tmp_path, database):
    first, second = Authority(tmp_path / "first"), Authority(tmp_path / "second")
    pair, new = first.issue(), second.issue()
    with start_secured(tmp_path, pair, database, "--workers", workers) as server:
        connections = connect_several(server.port, first)

        shutil.copyfile(new.cert, pair.cert)
        hang_up(server, "The renewal is broken off")  # the new key is missing
        check_connections(server.port, first, second)
        for sock in connections:
            assert say(sock) == b"HTTP/1.1 200 OK"
        shutil.copyfile(new.key, pair.key)
        hang_up(server, "all workers are renewed")

        for sock in connections:  # ended in order, as they were idle
            assert sock.recv(1) == b""
            sock.close()
        check_connections(server.port, second, first)
        assert server.stop() == 0
    assert "Traceback" not in server.output()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "the TLS files were read anew"),
        (("--workers", "1"), "all workers are renewed"),
        (("--workers", "2"), "all workers are renewed"),
    ],
)
def test_a_terminal_that_is_gone_ends_a_server_all_the_same(arguments, line, tmp_path, database):
    pair, log = Authority(tmp_path).issue(), tmp_path / "log"
    ours, theirs = pty.openpty()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "runserver", "--port", "0", *arguments],
            cwd=ROOT,
            env=environment(
                watched=False,
                SANIC_CONFIG_MODULE="settings.roles",
                DATABASE_URL=database,
                TLS_CERT=pair.cert,
                TLS_KEY=pair.key,
            ),
            stdin=theirs,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
    os.close(theirs)
    with process:
        try:
            wait_until(lambda: "serves at" in log.read_text())
            process.send_signal(signal.SIGHUP)
            wait_until(lambda: line in log.read_text())
            assert process.poll() is None
        finally:
            os.close(ours)
        assert process.wait(60) == 0
    assert "Traceback" not in log.read_text()


@WORKERS
def test_a_server_at_a_path_leaves_nothing_behind(workers, tmp_path, database):
    path = tmp_path / "http.sock"
    options = ("--workers", workers, "--settings", "settings.roles", "--host", f"unix:{path}")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with QuietServer(tmp_path / "log", *options, DATABASE_URL=database) as server:
        assert f"roles serves at unix:{path} in" in server.output()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            assert say(sock) == b"HTTP/1.1 200 OK"
        other = QuietServer(tmp_path / "other", *options, DATABASE_URL=database)
        other.start()
        assert other.process.wait(60) == 1
        assert "where another server listens" in other.output()
        assert path.is_socket()
        assert server.stop() == 0

    assert not path.exists()
    assert "Traceback" not in server.output()


# Sets up descriptor 3 and becomes the server, as systemd's processes do.
LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


def launch(log, sock, *arguments, **env):
    """Start a server that inherits *sock*."""
    number = os.dup(sock.fileno())
    command = ("manage.py", "runserver", "--settings", "settings.roles", *arguments)
    try:
        with log.open("wb") as out:
            return subprocess.Popen(
                [sys.executable, "-c", LAUNCHER, str(number), *command],
                cwd=ROOT,
                env=environment(watched=False, HOST="fd:3", LISTEN_FDS="1", **env),
                pass_fds=(number,),
                stdout=out,
                stderr=subprocess.STDOUT,
            )
    finally:
        os.close(number)


@WORKERS
def test_an_inherited_socket_outlives_the_server(workers, tmp_path, database):
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as ours:
        address = ours.getsockname()
        for _ in range(2):  # as systemd starts it again
            with launch(log, ours, "--workers", workers, DATABASE_URL=database) as process:
                try:
                    wait_until(lambda: "serves at" in log.read_text())
                    with socket.create_connection(address, timeout=60) as sock:
                        assert say(sock) == b"HTTP/1.1 200 OK"
                finally:
                    process.send_signal(signal.SIGTERM)
                assert process.wait(60) == 0
            assert f"roles serves at http://127.0.0.1:{address[1]}/" in log.read_text()
            assert "Traceback" not in log.read_text()
