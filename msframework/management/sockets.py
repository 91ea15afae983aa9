"""The sockets that a server listens on: TCP, Unix domain, or inherited.

Runs at start-up, on the command line.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.reduction import DupFd
from typing import Any, Final

from msframework.conf.rules import exposed
from msframework.conf.settings import Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.serving.descriptors import BACKLOG

_UNIX, _INHERITED = "unix:", "fd:"
_LONGEST: Final = 107  # bytes of a path: sun_path without its end (unix(7))
_MODE: Final = 0o660
# The variables of systemd, and the first descriptor that it passes (sd_listen_fds(3)).
_SYSTEMD: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
_FIRST: Final = 3


@dataclass(frozen=True, slots=True)
class SettingNames:
    """The settings that say where a socket listens, for messages; *advice* says how to mend it."""

    host: str
    port: str
    advice: str


_SERVICE: Final = SettingNames("HOST", "PORT", "choose another with --host and --port")
_OPERATIONS: Final = SettingNames(
    "OPERATIONS_HOST", "OPERATIONS_PORT", "change OPERATIONS_PORT or OPERATIONS_HOST"
)


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """Listen where the settings say, during the block.

    Raises:
        ImproperlyConfigured: the address is taken, not ours, or not allowed.
    """
    with listen(settings) as sock, _its_file(sock):
        yield sock


@contextmanager
def listening_for_operations(settings: Settings) -> Iterator[socket.socket | None]:
    """Listen where probes are answered, during the block; `None` without `OPERATIONS_PORT`.

    Raises:
        ImproperlyConfigured: the address is taken, or not ours.
    """
    port = settings.operations.port
    if port is None:
        yield None
        return
    host = settings.operations.host_beside(settings.server.host)
    with _open(host, port, _OPERATIONS) as sock, _its_file(sock):
        yield sock


@contextmanager
def _its_file(sock: socket.socket) -> Iterator[None]:
    """Remove the file of *sock*, if it has one, after the block."""
    path = _file_of(sock)
    try:
        yield
    finally:
        if path is not None:
            path.remove()


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises:
        ImproperlyConfigured: the address is taken, not ours, or not allowed.
    """
    sock = _open(settings.server.host, settings.server.port, _SERVICE)
    if isinstance(sock, InheritedSocket):
        _check_exposure(settings, sock)
    sock.set_inheritable(True)
    return sock


def _open(host: str, port: int, names: SettingNames) -> socket.socket:
    if host.startswith(_UNIX):
        return listen_at_path(host.removeprefix(_UNIX), names.host)
    if host.startswith(_INHERITED):
        return inherit(host, names.host)
    return _listen_at_port(host, port, names)


def _check_exposure(settings: Settings, sock: socket.socket) -> None:
    broken = [*exposed(settings, _UNIX if _is_unix(sock) else sock.getsockname()[0])]
    if broken:
        sock.close()
        raise ImproperlyConfigured.of([rule.text for rule in broken])


def name_of(sock: socket.socket) -> str:
    """Return where *sock* listens, for messages: `host:port` or `unix:/path`."""
    if _is_unix(sock):
        return f"{_UNIX}{sock.getsockname()}"
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_unix(sock: socket.socket) -> bool:
    return sock.family == socket.AF_UNIX


def _listen_at_port(host: str, port: int, names: SettingNames) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        both = host.strip("[]") == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(
            address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=both
        )
    except OSError as exc:
        raise ImproperlyConfigured(
            f"{names.host} and {names.port} are {host!r} and {port}, where this process cannot "
            f"listen ({exc.strerror or exc}); expected a free address of this machine. Stop what "
            f"listens there, or {names.advice}."
        ) from exc


# Unix domain sockets.


def listen_at_path(path: str, name: str = "HOST") -> socket.socket:
    """Return a socket that listens at *path*, which its owner and group may connect to.

    A stale socket file is replaced.

    Args:
        name: the setting that names it, for messages.

    Raises:
        ImproperlyConfigured: a server listens there, it is another file, or it cannot be made.
    """
    _check_path(path, name)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = -1
    try:
        # NOTE: of two servers that find one stale socket, one would remove the other's new one.
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        _remove_dead(path, name)
        sock.bind(path)
        # NOTE: nobody can connect before `listen`, whatever the umask allowed until here.
        os.chmod(path, _MODE)
        sock.listen(BACKLOG)
    except OSError as exc:
        sock.close()
        raise ImproperlyConfigured(
            f"{name} is {_UNIX + path!r}, where this process cannot listen ({exc.strerror or exc})"
            "; expected a path in a folder that it may write to. Mend the path, or the folder's "
            "permissions."
        ) from exc
    except ImproperlyConfigured:
        sock.close()
        raise
    finally:
        if folder >= 0:
            os.close(folder)
    return sock


def _check_path(path: str, name: str) -> None:
    if not path or "\0" in path or path.endswith("/"):
        raise ImproperlyConfigured(
            f"{name} is {_UNIX + path!r}; expected the path of a socket. Write "
            "'unix:/run/orders/http.sock', for instance."
        )
    size = len(os.fsencode(path))
    if size > _LONGEST:
        raise ImproperlyConfigured(
            f"{name} is {_UNIX + path!r}, a path of {size} bytes; expected {_LONGEST} at most, as "
            "Linux takes no longer one for a socket. Choose a shorter path."
        )


def _remove_dead(path: str, name: str) -> None:
    """Remove a stale socket file from *path*.

    Raises:
        ImproperlyConfigured: something else is there.
    """
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise ImproperlyConfigured(
            f"{name} is {_UNIX + path!r}, which is there and no socket; expected a free path. "
            "Choose another, or move that file away."
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a queue that is full would keep it waiting
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass
    raise ImproperlyConfigured(
        f"{name} is {_UNIX + path!r}, where another server listens; expected a free path. Stop "
        "that server, or choose another path."
    )


class SocketFile:
    """The socket file that this process made."""

    __slots__ = ("_identity", "_path")

    def __init__(self, path: str) -> None:
        # NOTE: the working directory may be another one when the server stops.
        self._path = os.path.abspath(path)
        self._identity = self._look()

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = os.lstat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns

    def remove(self) -> None:
        """Remove the file, unless it has been replaced."""
        if self._identity is not None and self._look() == self._identity:
            with suppress(OSError):
                os.unlink(self._path)


def _file_of(sock: socket.socket) -> SocketFile | None:
    is_ours = _is_unix(sock) and not isinstance(sock, InheritedSocket)
    return SocketFile(sock.getsockname()) if is_ours else None


# Inherited sockets.


class InheritedSocket(socket.socket):
    """A listening socket of another process, for instance systemd, which keeps it open."""

    def shutdown(self, how: int) -> None:
        """Do nothing: Sanic would shut it down for its owner, too, and for the next server."""

    def __reduce__(self) -> tuple[Any, ...]:
        # NOTE: multiprocessing hands over plain sockets alone.
        return _rebuild, (DupFd(self.fileno()), self.family, self.type, self.proto)


def is_inherited(sock: socket.socket) -> bool:
    """Return whether another process keeps *sock* open, too."""
    return isinstance(sock, InheritedSocket)


def _rebuild(duplicate: Any, family: int, kind: int, proto: int) -> socket.socket:
    return InheritedSocket(family, kind, proto, fileno=duplicate.detach())


def inherit(host: str, name: str = "HOST") -> InheritedSocket:
    """Return the listening socket that *host*, such as `fd:3`, names.

    Args:
        name: the setting that names it, for messages.

    Raises:
        ImproperlyConfigured: it is none that this process was given.
    """
    number = _descriptor(host, name)
    try:
        # NOTE: a duplicate, as a socket that is refused is not ours to close.
        sock = InheritedSocket(fileno=os.dup(number))
    except OSError as exc:
        raise _not_given(host, name, f"no socket ({exc.strerror or exc})") from exc
    stream = sock.type == socket.SOCK_STREAM
    families = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)
    if not stream or sock.family not in families:
        sock.close()
        raise _not_given(host, name, "a socket, but none of TCP or of a path")
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.close()
        raise _not_given(host, name, "a socket that does not listen")
    os.close(number)
    for variable in _SYSTEMD:  # they are not for the processes that are started here
        os.environ.pop(variable, None)
    return sock


def _descriptor(host: str, name: str) -> int:
    text = host.removeprefix(_INHERITED)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= _FIRST):
        raise ImproperlyConfigured(
            f"{name} is {host!r}; expected the number of an inherited descriptor, {_FIRST} or more."
            f" Write 'fd:{_FIRST}' for the first socket of systemd."
        )
    number = int(text)
    pid, count = os.environ.get("LISTEN_PID"), os.environ.get("LISTEN_FDS")
    if pid is not None and pid != str(os.getpid()):
        raise _not_given(host, name, f"meant for process {pid!r} (LISTEN_PID), not {os.getpid()}")
    if count is not None and count.isdigit() and number >= _FIRST + int(count):
        raise _not_given(host, name, f"beyond the {count} that systemd hands over (LISTEN_FDS)")
    return number


def _not_given(host: str, name: str, found: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"{name} is {host!r}, which is {found}; expected a listening socket that this process "
        "inherited. Start it by a systemd socket unit (Accept=no), without a shell between them."
    )
