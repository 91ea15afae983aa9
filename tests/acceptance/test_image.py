"""What the Dockerfile builds runs as it says: as no root user, on a root that cannot be written to.

Without Docker: the files that it copies, Debian's interpreter with the packages of this one, and a
mount namespace in which all but /tmp is read-only.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.deploy.artefacts import ROOT, exec_form, image_environment, read_stages
from tests.processes import free_port, fresh_database, usual_signals

PYTHON = Path("/usr/bin/python3")
TOOLS = ("unshare", "nsenter", "setpriv", "mount")
USER = dict(read_stages()[-1])["USER"].partition(":")[0]
READ_ONLY = """
mount --make-rprivate / && mount --bind "$1" "$2/installed" && mount -o remount,bind,ro / &&
mount -t tmpfs -o mode=1777 tmpfs /tmp && cd "$2/app" && shift 2 && exec "$@"
"""
AS_USER = (
    *("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"),
    *("--no-new-privs", "--bounding-set=-all"),
)


def minor_of(python):
    """Return the minor version of an interpreter, as text."""
    show = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run([python, "-c", show], capture_output=True, text=True, check=False)
    return done.stdout.split()


pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount"),
    pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}"),
    pytest.mark.skipif(
        not PYTHON.exists() or minor_of(PYTHON) != minor_of(sys.executable),
        reason=f"{PYTHON} cannot import the packages of this interpreter",
    ),
]


@pytest.fixture(scope="module")
def image():
    """Return a folder with `app` and `venv`, as in the image."""
    # NOTE: the folders of pytest are root's alone, and below /tmp.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        ignored = shutil.ignore_patterns("__pycache__", "tests")
        for source in ("manage.py", "settings", "apps", "msframework"):
            place = folder / ("packages" if source == "msframework" else "app") / source
            place.parent.mkdir(exist_ok=True)
            copy = shutil.copy if (ROOT / source).is_file() else shutil.copytree
            copy(ROOT / source, place, **({} if copy is shutil.copy else {"ignore": ignored}))
        venv = folder / "venv"
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", venv], check=True)
        [packages] = venv.glob("lib/*/site-packages")
        # NOTE: the packages of this interpreter are bound there, as they may lie below /tmp.
        (folder / "installed").mkdir()
        (packages / "image.pth").write_text(f"{folder}/packages\n{folder}/installed\n")
        compiles = [PYTHON, "-m", "compileall", "-q", folder / "app", folder / "packages"]
        subprocess.run(compiles, check=True)
        yield folder


def copy_bytes(source, target):
    """Send what comes from one socket to another, until both have ended."""
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def forward(caller, database):
    """Send what comes from either to the other, in threads."""

    def both():
        with caller, database:
            back = threading.Thread(target=copy_bytes, args=(database, caller), daemon=True)
            back.start()
            copy_bytes(caller, database)
            back.join()

    threading.Thread(target=both, daemon=True).start()


@contextmanager
def tcp_database():
    """Yield the URL of an empty database by TCP, as the embedded server's socket is private."""
    with fresh_database("image") as url, socket.create_server(("127.0.0.1", 0)) as server:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        path = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"

        def accept():
            with suppress(OSError):
                while True:
                    caller, _ = server.accept()
                    database = socket.socket(socket.AF_UNIX)
                    database.connect(path)
                    forward(caller, database)

        threading.Thread(target=accept, daemon=True).start()
        port = server.getsockname()[1]
        yield f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}?sslmode=disable"
        server.shutdown(socket.SHUT_RDWR)  # ends `accept`


@pytest.mark.parametrize("workers", ["", "2"], ids=["one process", "two workers"])
def test_the_image_serves_is_healthy_and_stops(workers, image, tmp_path):
    own = image_environment()
    env = {
        **own,
        "PATH": own["PATH"].replace("/srv", str(image)),
        "PORT": str(free_port()),
        "OPERATIONS_PORT": str(free_port()),
        "DRAIN_DELAY": "0.1",
        "INSTALLED_APPS": "apps.regions",
        "ACCESS_KEY": "0" * 64,
        **({"WORKERS": workers} if workers else {}),
    }
    python = image / "venv" / "bin" / "python"
    installed = sysconfig.get_path("purelib")
    start = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", installed, str(image), *AS_USER]
    log = tmp_path / "log"
    with tcp_database() as url, usual_signals(), log.open("wb") as out:
        env["DATABASE_URL"] = url
        migrate = [*start, python, "manage.py", "migrate"]
        subprocess.run(migrate, env=env, stdout=out, stderr=out, check=True)
        command = [*start, python, *exec_form("CMD")[1:]]
        process = subprocess.Popen(command, env=env, stdout=out, stderr=out)
        try:
            enter = ["nsenter", f"--target={process.pid}", "--mount", f"--wd={image / 'app'}"]
            health = [*enter, *AS_USER, python, *exec_form("HEALTHCHECK")[1:]]
            deadline = time.monotonic() + 60
            while (asked := subprocess.run(health, env=env, capture_output=True)).returncode:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, (asked, log.read_text())
                time.sleep(0.1)
            process.send_signal(signal.Signals[dict(read_stages()[-1])["STOPSIGNAL"]])
            assert process.wait(60) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()

    assert "Read-only" not in log.read_text()
    assert subprocess.run(health, env=env, capture_output=True, check=False).returncode != 0
