"""Where a server listens: sockets of a path, and those that it inherits."""

import multiprocessing
import os
import socket
import stat
from contextlib import contextmanager, suppress

import pytest

from msframework.conf.operations import OperationsSettings
from msframework.conf.settings import ServerSettings, Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.management.sockets import (
    InheritedSocket,
    listen,
    listening,
    listening_for_operations,
    name_of,
)


def settings_of(host, **values):
    return Settings(server=ServerSettings(host=host, port=0), **values)


@pytest.fixture
def path(tmp_path_factory, monkeypatch):
    """Return a path that is short enough."""
    folder = tmp_path_factory.mktemp("s")
    return str(folder / "http.sock")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        monkeypatch.delenv(name, raising=False)


def accepts(path):
    """Return whether somebody can connect."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(path)
        except OSError:
            return False
        return True


# Paths.


def test_owner_and_group_may_connect_and_nobody_else(path):
    before = os.umask(0)
    try:
        with listening(settings_of(f"unix:{path}")) as sock:
            mode = os.stat(path).st_mode
            assert stat.S_ISSOCK(mode)
            assert stat.S_IMODE(mode) == 0o660
            assert accepts(path)
            assert name_of(sock) == f"unix:{path}"
    finally:
        os.umask(before)

    assert not os.path.exists(path)


def test_a_dead_socket_is_replaced(path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)

    with listening(settings_of(f"unix:{path}")):
        assert accepts(path)


def test_a_live_socket_is_refused_and_goes_on(path):
    with listening(settings_of(f"unix:{path}")):
        with pytest.raises(ImproperlyConfigured, match="where another server listens"):
            listen(settings_of(f"unix:{path}"))
        assert accepts(path)


def test_a_socket_whose_queue_is_full_is_alive(path):
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(path)
        busy.listen(0)
        first.connect(path)

        with pytest.raises(ImproperlyConfigured, match="where another server listens"):
            listen(settings_of(f"unix:{path}"))


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_is_never_removed(kind, path):
    if kind == "file":
        open(path, "w").close()
    elif kind == "folder":
        os.mkdir(path)
    else:
        os.symlink("/nowhere", path)

    with pytest.raises(ImproperlyConfigured, match="which is there and no socket"):
        listen(settings_of(f"unix:{path}"))

    assert os.path.lexists(path)


def test_the_socket_of_a_successor_is_not_removed(path):
    with listening(settings_of(f"unix:{path}")):
        os.unlink(path)
        successor = listen(settings_of(f"unix:{path}"))

    with successor:
        assert accepts(path)


def test_a_path_that_is_too_long_is_said(tmp_path):
    path = str(tmp_path / ("x" * 108))

    with pytest.raises(ImproperlyConfigured, match=r"a path of \d+ bytes; expected 107 at most"):
        listen(settings_of(f"unix:{path}"))


@pytest.mark.parametrize("host", ["unix:", "unix:/tmp/", "unix:a\0b"])
def test_a_path_that_is_none_is_said(host):
    with pytest.raises(ImproperlyConfigured, match="expected the path of a socket"):
        listen(settings_of(host))


def test_a_folder_that_is_missing_is_said(path):
    with pytest.raises(ImproperlyConfigured, match="No such file or directory"):
        listen(settings_of(f"unix:{path}/below/http.sock"))


def test_another_working_directory_does_not_matter(path, monkeypatch):
    monkeypatch.chdir(os.path.dirname(path))
    with listening(settings_of("unix:http.sock")):
        monkeypatch.chdir("/")

    assert not os.path.exists(path)


# Inherited sockets.


@contextmanager
def given(sock):
    """Yield the number of a descriptor of *sock*, as a process inherits it."""
    number = os.dup(sock.fileno())
    try:
        yield number
    finally:
        with suppress(OSError):  # it was taken
            if os.path.sameopenfile(number, sock.fileno()):
                os.close(number)


def test_a_listening_socket_is_taken(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as ours, given(ours) as number:
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        monkeypatch.setenv("LISTEN_FDS", str(number))
        with listening(settings_of(f"fd:{number}", debug=True)) as sock:
            assert sock.getsockname() == ours.getsockname()
            assert name_of(sock) == f"127.0.0.1:{ours.getsockname()[1]}"
            assert "LISTEN_PID" not in os.environ
            sock.shutdown(socket.SHUT_RDWR)  # as Sanic does at its end

        socket.create_connection(ours.getsockname()).close()  # its owner goes on


def test_the_file_of_an_inherited_socket_is_its_owners(path):
    with listening(settings_of(f"unix:{path}")) as ours, given(ours) as number:
        with listening(settings_of(f"fd:{number}")):
            pass

        assert accepts(path)


@pytest.mark.acceptance
def test_an_inherited_socket_goes_to_processes():
    with socket.create_server(("127.0.0.1", 0)) as ours, given(ours) as number:
        with listening(settings_of(f"fd:{number}")) as sock:
            context = multiprocessing.get_context("spawn")
            parent, child = context.Pipe()
            process = context.Process(target=tell_address, args=(sock, child))
            process.start()
            assert parent.recv() == (ours.getsockname(), "InheritedSocket")
            process.join()


def tell_address(sock, pipe):
    """Say where *sock* listens; runs in a process of its own."""
    pipe.send((sock.getsockname(), type(sock).__name__))


@pytest.mark.parametrize("host", ["fd:", "fd:2", "fd:-1", "fd:x", "fd:٣", "fd:99999999999"])
def test_a_number_that_is_none_is_said(host):
    with pytest.raises(ImproperlyConfigured, match="expected the number of an inherited"):
        listen(settings_of(host))


def test_what_is_no_listening_socket_is_refused_and_left_open(tmp_path):
    with (
        open(tmp_path / "file", "w") as file,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket() as idle,
    ):
        idle.bind(("127.0.0.1", 0))
        for number, said in (
            (file.fileno(), "no socket"),
            (datagrams.fileno(), "none of TCP"),
            (idle.fileno(), "does not listen"),
            (9999, "no socket"),
        ):
            with pytest.raises(ImproperlyConfigured, match=said):
                listen(settings_of(f"fd:{number}"))
        os.fstat(idle.fileno())


def test_a_socket_for_another_process_is_refused(monkeypatch):
    monkeypatch.setenv("LISTEN_PID", "1")

    with pytest.raises(ImproperlyConfigured, match="meant for process '1'"):
        listen(settings_of("fd:3"))


def test_a_number_beyond_those_of_systemd_is_refused(monkeypatch):
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")

    with pytest.raises(ImproperlyConfigured, match="beyond the 1 that systemd hands over"):
        listen(settings_of("fd:4"))


def test_debug_is_refused_where_strangers_connect():
    with socket.create_server(("0.0.0.0", 0)) as ours, given(ours) as number:
        with pytest.raises(ImproperlyConfigured, match=r"DEBUG is on and HOST is '0\.0\.0\.0'"):
            listen(settings_of(f"fd:{number}", debug=True))


def test_a_plain_socket_is_ours_to_shut_down():
    with listen(settings_of("127.0.0.1")) as sock:
        assert not isinstance(sock, InheritedSocket)


# The socket of probes and metrics.


def with_operations(port, address=None, **server):
    operations = OperationsSettings(port=port, host=address)
    return Settings(server=ServerSettings(**server), operations=operations)


def test_probes_have_no_socket_without_a_port():
    with listening_for_operations(with_operations(None)) as sock:
        assert sock is None


def test_probes_have_a_socket_at_the_host_of_the_service_or_their_own(path):
    with listening_for_operations(with_operations(0, host="127.0.0.1")) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"
    with listening_for_operations(with_operations(0, host="0.0.0.0")) as sock:
        assert sock.getsockname()[0] == "0.0.0.0"
    with listening_for_operations(with_operations(0, f"unix:{path}")) as sock:
        assert accepts(path)
    assert not os.path.exists(path)


def test_probes_beside_a_socket_of_a_path_are_for_this_machine(path):
    with listening_for_operations(with_operations(0, host=f"unix:{path}")) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"


def test_a_port_of_probes_that_is_taken_is_said_by_its_own_name():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ImproperlyConfigured, match="OPERATIONS_PORT are") as got,
            listening_for_operations(with_operations(port)),
        ):
            pass

    assert "change OPERATIONS_PORT" in str(got.value)


def test_an_inherited_socket_of_probes_that_is_none_is_said_by_its_own_name():
    with (
        pytest.raises(ImproperlyConfigured, match="OPERATIONS_HOST is 'fd:1'"),
        listening_for_operations(with_operations(0, "fd:1")),
    ):
        pass
