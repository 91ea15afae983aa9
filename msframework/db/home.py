"""Where the embedded server of a checkout keeps its files. Runs at start-up.

Usually that is `<checkout>/.msframework/postgres`. As root, or when the checkout cannot be written,
it is a directory of its own below one of `_bases()`; a pointer in `.msframework/` then says which,
and a file `checkout` in it says whose it is. A moved checkout thus finds its data again, and a
copied one gets data of its own.

    lock       held by whoever starts, stops or throws away the server
    alive      held by the server's processes for as long as one of them lives
    checkout   the path of the checkout, for a home outside of it
    data/ log/ run/    the server's own (0700): cluster, log file, socket
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from msframework.exceptions import ImproperlyConfigured

STATE = ".msframework"
SOCKET = ".s.PGSQL.5432"
_SOCKET_LIMIT = 100  # bytes; sun_path holds 104 on macOS and 108 on Linux, with the final NUL
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")  # nothing that a list of hosts would split
_EFFECTIVE = os.access in os.supports_effective_ids
_SERVER_USERS = ("msframework", "postgres", "nobody")


@dataclass(frozen=True, slots=True)
class User:
    """The unprivileged account that the server runs as when we are root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Home:
    """One directory with everything that one embedded server has."""

    path: Path
    user: User | None

    @property
    def data(self) -> Path:
        """The cluster itself."""
        return self.path / "data"

    @property
    def log(self) -> Path:
        """What the server writes to standard error."""
        return self.path / "log" / "server.log"

    @property
    def run(self) -> Path:
        """The directory of the socket: in the home, or elsewhere if that path is too long."""
        inside = self.path / "run"
        name = str(inside / SOCKET)
        if len(os.fsencode(name)) <= _SOCKET_LIMIT and _PLAIN_PATH.fullmatch(name):
            return inside
        key = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:10]
        temporary = Path("/tmp") if os.access("/tmp", os.W_OK) else Path(tempfile.gettempdir())  # noqa: S108
        uid = os.geteuid() if self.user is None else self.user.uid
        candidates = [temporary / f"msframework-{uid}-{key}{end}" for end in ("", "-2", "-3")]
        return next((each for each in candidates if _is_free_or_private(each, uid)), candidates[0])

    @contextmanager
    def lock(self, timeout: float = 120.0) -> Iterator[int]:
        """Hold the home's lock against other processes and threads; yields its file descriptor.

        Args:
            timeout: how long to wait for another process, in seconds.

        Raises:
            ImproperlyConfigured: another process holds it for longer than that.
        """
        descriptor = open_lock(self.path / "lock")
        try:
            deadline = time.monotonic() + timeout
            while not try_lock(descriptor):
                if time.monotonic() > deadline:
                    raise ImproperlyConfigured(
                        f"Another process has been starting or stopping the embedded PostgreSQL in "
                        f"{self.path} for {timeout:.0f} s. End that process, then try again."
                    )
                time.sleep(0.02)
            yield descriptor
        finally:
            os.close(descriptor)

    def prepare(self) -> None:
        """Make the directories that belong to the server, for it alone."""
        for directory in (self.log.parent, self.run):
            make_private(directory, self.user)


def open_lock(path: Path) -> int:
    """Open the lock file *path*, made when missing; symbolic links are refused."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int) -> bool:
    """Say whether the lock behind *descriptor* is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def make_private(directory: Path, user: User | None) -> None:
    """Make *directory*, its owner's alone; no parent's mode is changed.

    Raises:
        ImproperlyConfigured: there is something else of that name, or it is somebody else's.
    """
    uid = os.geteuid() if user is None else user.uid
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        if _is_free_or_private(directory, uid):
            return
        raise ImproperlyConfigured(
            f"{directory} is not a directory that only user {uid} may enter, so the embedded "
            "PostgreSQL cannot use it. Remove it, or set DATABASE_URL to a server of your own."
        ) from None
    if user is not None:
        os.chown(directory, user.uid, user.gid)


def _is_free_or_private(directory: Path, uid: int) -> bool:
    try:
        found = os.lstat(directory)
    except FileNotFoundError:
        return True
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and not found.st_mode & 0o077


def find_home(root: Path) -> Home | None:
    """Return the home that belongs to the checkout *root*, or `None` when it has none yet."""
    inside = root / STATE / "postgres"
    if os.geteuid() != 0 and inside.is_dir() and _is_free_or_private(inside, os.geteuid()):
        return Home(inside, None)
    path = _pointed(root)
    if path is None and not _is_writable(root):
        path = next((each for each in _candidates(root) if _owner(each) == str(root)), None)
    if path is None or not _is_ours(path):
        return None
    owner = _owner(path)
    if owner != str(root) and owner is not None and _pointed(Path(owner)) == path:
        return None  # NOTE: a copied checkout brings the pointer along; the data stays the other's.
    return Home(path, _server_user())


def make_home(root: Path) -> Home:
    """Return a home for the checkout *root*, which has none; take it over with `claim_home`.

    Raises:
        ImproperlyConfigured: no directory for it can be made.
    """
    if os.geteuid() != 0 and _is_writable(root):
        inside = root / STATE / "postgres"
        with suppress(OSError, ImproperlyConfigured):
            make_state(root)
            make_private(inside, None)
            return Home(inside, None)
    user = _server_user()
    for path in _candidates(root):
        owner = _owner(path)
        if owner is not None and owner != str(root) and _pointed(Path(owner)) == path:
            continue
        with suppress(OSError):
            # NOTE: explicit modes, as a umask of 077 would lock the server out of its own home.
            for directory in (path.parent, path):
                with suppress(FileExistsError):  # it may be another process that starts now
                    directory.mkdir(parents=True, mode=0o700)
                    os.chmod(directory, 0o700 if user is None else 0o711)
            if _is_ours(path.parent) and _is_ours(path):
                return Home(path, user)
    raise ImproperlyConfigured(
        f"The embedded PostgreSQL needs a directory that it can write: neither {root} nor any of "
        f"{', '.join(str(base) for base in _bases())} is one. Make one of them writable, or set "
        "DATABASE_URL to a server of your own."
    )


def claim_home(root: Path, home: Home) -> None:
    """Note on both sides that *home* belongs to *root*; called with the lock held."""
    if home.path.parent.parent == root:
        return
    _write_at_once(home.path / "checkout", f"{root}\n")
    if _is_writable(root):
        make_state(root)
        _write_at_once(root / STATE / f"home-{os.geteuid()}", f"{home.path}\n")


def _write_at_once(path: Path, text: str) -> None:
    """Write *text* so that a process that reads without the lock sees all of it or none."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)


def make_state(root: Path) -> None:
    """Make `<root>/.msframework`, which version control shall not see."""
    state = root / STATE
    state.mkdir(exist_ok=True)
    ignore = state / ".gitignore"
    if not ignore.exists():
        with suppress(OSError):
            ignore.write_text("*\n")


def _is_writable(root: Path) -> bool:
    state = root / STATE
    directory = state if state.is_dir() else root
    return os.access(directory, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE)


def _pointed(root: Path) -> Path | None:
    try:
        return Path((root / STATE / f"home-{os.geteuid()}").read_text().strip())
    except OSError:
        return None


def _owner(path: Path) -> str | None:
    try:
        return (path / "checkout").read_text().strip()
    except OSError:
        return None


def _is_ours(path: Path) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.geteuid()
        and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _bases() -> list[Path]:
    uid = os.geteuid()
    if uid == 0:
        first = Path("/var/lib/msframework")
    else:
        state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
        first = Path(state) / "msframework"
    return [first, Path(f"/var/tmp/msframework-{uid}"), Path(f"/tmp/msframework-{uid}")]  # noqa: S108


def _candidates(root: Path) -> list[Path]:
    key = hashlib.sha256(os.fsencode(root)).hexdigest()[:10]
    return [base / f"{key}{end}" for base in _bases() for end in ("", "-2", "-3", "-4")]


def _server_user() -> User | None:
    if os.geteuid() != 0:
        return None
    for name in _SERVER_USERS:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return User(name, entry.pw_uid, entry.pw_gid)
    raise ImproperlyConfigured(
        "PostgreSQL does not run as root, and this machine has none of the users "
        f"{', '.join(_SERVER_USERS)}. Create one of them (`useradd --system postgres`), run as a "
        "normal user, or set DATABASE_URL to a server of your own."
    )
