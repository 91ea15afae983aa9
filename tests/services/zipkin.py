"""The official Zipkin server on the loopback; its jar comes from Maven Central, into a cache.

`python -m tests.services.zipkin [--port 9411]` runs one until it is interrupted; tests take
`ZipkinServer`, a context manager. Needs Java 17 or newer, and Maven the first time.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

VERSION = "3.6.1"
ARTIFACT = f"io.zipkin:zipkin-server:{VERSION}:jar:exec"
LEAST_JAVA = 17
CACHE = Path(
    os.environ.get("ZIPKIN_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "msframework")
)


class Unavailable(Exception):
    """There is no Zipkin server to be had here; the text says why."""


def java() -> str:
    """Return the path of a Java that can run it.

    Raises:
        Unavailable: there is none, or it is too old.
    """
    found = shutil.which("java")
    if found is None:
        raise Unavailable(f"no java here: apt-get install openjdk-{LEAST_JAVA}-jre-headless")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=60).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version is None or int(version[1]) < LEAST_JAVA:
        raise Unavailable(f"Zipkin {VERSION} needs Java {LEAST_JAVA}; here is: {said.strip()}")
    return found


def fetch() -> Path:
    """Return the server's jar; Maven brings it the first time, and checks it.

    Raises:
        Unavailable: it is not here, and Maven is not either, or cannot get it.
    """
    jar = CACHE / f"zipkin-server-{VERSION}-exec.jar"
    if jar.exists():
        return jar
    maven = shutil.which("mvn")
    if maven is None:
        raise Unavailable(f"neither {jar} nor mvn is here: apt-get install maven")
    CACHE.mkdir(parents=True, exist_ok=True)
    command = [maven, "-B", "-q", "-C", f"-Dartifact={ARTIFACT}", "-Dtransitive=false"]
    try:
        subprocess.run(
            [*command, "dependency:get"], check=True, capture_output=True, text=True, timeout=900
        )
        # NOTE: copied beside its place and renamed, so that half a jar is never taken for one.
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            subprocess.run(
                [*command, "-o", "dependency:copy", f"-DoutputDirectory={folder}"],
                check=True,
                capture_output=True,
                text=True,
                timeout=300,
            )
            Path(folder, jar.name).replace(jar)
    except subprocess.SubprocessError as exc:
        said = f"{getattr(exc, 'stdout', None) or ''}{getattr(exc, 'stderr', None) or ''}"
        raise Unavailable(f"Maven cannot get {ARTIFACT}: {exc}\n{said[-800:]}") from exc
    return jar


class ZipkinServer:
    """A Zipkin server that keeps its spans in memory; a context manager.

    Attributes:
        url: where its pages and API are: `http://127.0.0.1:{port}`.
        spans_url: what `ZIPKIN_SERVER` is set to.
    """

    def __init__(self, port: int, log: Path) -> None:
        self.port, self.log = port, log
        self.url = f"http://127.0.0.1:{port}"
        self.spans_url = f"{self.url}/api/v2/spans"

    def __enter__(self) -> "ZipkinServer":
        jar, program = fetch(), java()
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [
                    program,
                    # PERF: it lives for a minute, so the second compiler never pays.
                    *("-Xmx384m", "-XX:TieredStopAtLevel=1", "-jar", str(jar)),
                    "--armeria.ports[0].ip=127.0.0.1",
                    f"--armeria.ports[0].port={self.port}",
                    "--armeria.ports[0].protocols[0]=http",
                    "--zipkin.storage.type=mem",
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def wait_ready(self, timeout: float = 180) -> None:
        """Wait until it says that it is up.

        Raises:
            RuntimeError: it ended, or is not up in time.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                if self.get("/health")["status"] == "UP":
                    return
            except (OSError, ValueError):
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                printed = self.log.read_text(errors="replace")
                raise RuntimeError(f"Zipkin is not up; it printed:\n{printed[-4000:]}")
            time.sleep(0.2)

    def get(self, path: str) -> object:
        """Return what `GET path` answers, which is JSON."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def trace(self, trace_id: str) -> list[dict]:
        """Return the spans of a trace that it has so far."""
        try:
            return self.get(f"/api/v2/trace/{quote(trace_id)}")
        except urllib.error.HTTPError as exc:
            with exc:
                if exc.code == 404:
                    return []
                raise

    def dependencies(self) -> set[tuple[str, str]]:
        """Return who called whom in the last hour."""
        now = int(time.time() * 1000) + 60_000
        links = self.get(f"/api/v2/dependencies?endTs={now}&lookback=3600000")
        return {(link["parent"], link["child"]) for link in links}

    def stop(self) -> None:
        """End the process."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def main() -> int:
    """Run a server until it is interrupted."""
    parser = argparse.ArgumentParser(prog="tests.services.zipkin", description=__doc__)
    parser.add_argument("--port", type=int, default=9411)
    options = parser.parse_args()
    log = Path(tempfile.gettempdir(), f"zipkin-{options.port}.log")
    try:
        with ZipkinServer(options.port, log) as server:
            print(f"ZIPKIN_SERVER={server.spans_url}  (pages: {server.url}/zipkin, log: {log})")
            try:
                return server.process.wait()
            except KeyboardInterrupt:
                return 0
    except Unavailable as exc:
        print(exc, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
