"""The set-ups of restarts.py: how instances are started, put behind a proxy, and restarted."""

import asyncio
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.children import start_child
from benchmarks.restart_load import Failure, Tally

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
SIGNALS = (signal.SIGTERM, signal.SIGINT)
BOUND = 120.0  # seconds after which a start or a stop has failed
DRAIN_DELAY = 2.5  # above two intervals of the checks in deploy/; no check takes long here
_LOOK = 0.02  # seconds between looks at a process


class Unavailable(Exception):
    """A set-up cannot be measured here; the text says why."""


class Instance:
    """One `manage.py runserver`, in a process group of its own."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        port: int | None = None,
        fd: int | None = None,
        **env: str,
    ) -> None:
        self.port, self.fd, self.arguments = port, fd, arguments
        self.operations = free_port()
        self.log = folder / f"instance-{self.operations}.log"
        self.env = {
            "SANIC_CONFIG_MODULE": "benchmarks.restart_service",
            "OPERATIONS_PORT": str(self.operations),
            "OPERATIONS_HOST": "127.0.0.1",
            "PART_STOP_TIMEOUT": "1",
            **({"HOST": f"fd:{fd}"} if fd is not None else {"PORT": str(port)}),
            **env,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process, and return it at once."""
        with self.log.open("ab") as out:
            out.truncate(0)
            self.process = start_child(
                [sys.executable, "manage.py", "runserver", *self.arguments],
                cwd=ROOT,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                pass_fds=() if self.fd is None else (self.fd,),
                start_new_session=True,
            )
        return self.process

    async def start(self) -> None:
        """Start it and wait until it serves."""
        process = self.launch()
        deadline = time.monotonic() + BOUND
        while b"serves at" not in self.log.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"it does not serve:\n{self.log.read_text()}")
            await asyncio.sleep(_LOOK)

    async def wait(self, notes: Counter[str]) -> None:
        """Wait until it has ended; note an end that is none, or not as it should be."""
        assert self.process is not None
        deadline = time.monotonic() + BOUND
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                notes["killed"] += 1
                self.kill()
                return
            await asyncio.sleep(_LOOK)
        if self.process.returncode:
            notes[f"exit code {self.process.returncode}"] += 1

    def kill(self) -> None:
        """End it and whatever it started."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # the group that `launch` made
            self.process.wait()


class Setup:
    """One way to serve and to restart; `port` is where callers ask.

    Args:
        folder: for logs and files of configuration.
        has_ready: whether instances answer /readyz.
    """

    name = ""

    def __init__(self, folder: Path, *, has_ready: bool = True) -> None:
        self.folder, self.has_ready = folder, has_ready
        self.port = free_port()
        self.signals: list[float] = []
        self.notes: Counter[str] = Counter()
        self.instances: list[Instance] = []

    async def __aenter__(self) -> "Setup":
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start what serves."""
        await asyncio.gather(*(instance.start() for instance in self.instances))

    async def stop(self) -> None:
        """End everything."""
        for instance in self.instances:
            instance.kill()

    async def restart(self, number: int, tally: Tally) -> float:
        """Restart once, and return how many seconds the stop took."""
        raise NotImplementedError

    def is_cut(self, failure: Failure) -> bool:
        """Return whether *failure* is what this set-up does on purpose."""
        return False

    def send(self, instance: Instance, number: signal.Signals) -> float:
        """Send a signal to *instance*, and return when."""
        assert instance.process is not None
        self.signals.append(time.monotonic())
        instance.process.send_signal(number)
        return self.signals[-1]


class Proxied(Setup):
    """Two instances behind a proxy, restarted in turn."""

    program = ""
    file = Path()
    settle = 2.5  # seconds after which the proxy sends to an instance that is back

    def __init__(self, folder: Path, *, has_ready: bool = True) -> None:
        super().__init__(folder, has_ready=has_ready)
        delay = {"DRAIN_DELAY": str(DRAIN_DELAY)}
        self.instances = [Instance(folder, port=free_port(), **delay) for _ in range(2)]
        self.proxy: subprocess.Popen[bytes] | None = None

    def configure(self) -> Path:
        """Write the file of `deploy/` with the ports of this run, and return its path."""
        one, two = self.instances
        ports = {
            8080: self.port,
            8000: one.port,
            8001: two.port,
            9000: one.operations,
            9001: two.operations,
            9901: free_port(),
        }
        text = re.sub(
            r"(?<=[: ])(8080|800[01]|900[01]|9901)\b",
            lambda found: str(ports[int(found[0])]),
            self.file.read_text(),
        )
        path = self.folder / self.file.name
        path.write_text(text if self.has_ready else self.without_ready(text))
        return path

    def without_ready(self, text: str) -> str:
        """Return the configuration without checks of /readyz."""
        return text

    def command(self, path: Path) -> list[str]:
        """Return what starts the proxy with the configuration at *path*."""
        raise NotImplementedError

    def launch(self, program: str) -> subprocess.Popen[bytes]:
        """Start the proxy, and return it at once."""
        with (self.folder / "proxy.log").open("wb") as out:
            command = [program, *self.command(self.configure())]
            return start_child(command, stdout=out, stderr=out)

    async def start(self) -> None:
        """Start the instances, then the proxy."""
        program = shutil.which(self.program)
        if program is None:
            raise Unavailable(f"{self.program} is not installed")
        await super().start()
        self.proxy = proxy = self.launch(program)
        deadline = time.monotonic() + BOUND
        while not is_open(self.port):
            if proxy.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "proxy.log").read_text())
            await asyncio.sleep(_LOOK)
        await asyncio.sleep(self.settle)

    async def stop(self) -> None:
        """End the proxy and the instances."""
        if self.proxy is not None:
            self.proxy.terminate()
            self.proxy.wait(20)
        await super().stop()

    async def restart(self, number: int, tally: Tally) -> float:
        """Stop one instance, start it, and wait until the proxy knows."""
        instance = self.instances[number % 2]
        began = self.send(instance, SIGNALS[number // 2 % 2])
        await instance.wait(self.notes)
        took = time.monotonic() - began
        await instance.start()
        await asyncio.sleep(self.settle)
        return took


class HAProxy(Proxied):
    """Two instances behind HAProxy, which asks /readyz."""

    name, program = "two instances behind HAProxy", "haproxy"
    file = DEPLOY / "haproxy" / "haproxy.cfg"

    def command(self, path: Path) -> list[str]:
        """Return its command."""
        return ["-db", "-f", str(path)]

    def without_ready(self, text: str) -> str:
        """Return the configuration with checks that only connect."""
        text = re.sub(r" port \d+", "", text)
        return re.sub(r"^.*(option httpchk|http-check).*\n", "", text, flags=re.MULTILINE)


class Nginx(Proxied):
    """Two instances behind nginx, which notices a port that refuses."""

    name, program = "two instances behind nginx", "nginx"
    file = DEPLOY / "nginx" / "msframework.conf"

    def command(self, path: Path) -> list[str]:
        """Return its command, around a main file that takes in that of `deploy/`."""
        main = self.folder / "nginx.conf"
        main.write_text(
            f"daemon off; pid {self.folder}/pid; error_log stderr error;\n"
            "worker_processes 1; events { worker_connections 1024; }\n"
            f"http {{ access_log off; client_body_temp_path {self.folder}/body;\n"
            f"proxy_temp_path {self.folder}/proxy; include {path}; }}\n"
        )
        return ["-p", str(self.folder), "-e", "stderr", "-c", str(main)]


class Envoy(Proxied):
    """Two instances behind Envoy, which asks /readyz."""

    name, program = "two instances behind Envoy", "envoy"
    file = DEPLOY / "envoy" / "envoy.yaml"

    def command(self, path: Path) -> list[str]:
        """Return its command."""
        own = ("--base-id", str(random.randrange(1, 10_000)))  # of its shared memory
        return ["-c", str(path), "--concurrency", "1", "--log-level", "error", *own]

    def without_ready(self, text: str) -> str:
        """Return the configuration with checks that only connect."""
        text = re.sub(r"http_health_check:\n.*\n.*\n", "tcp_health_check: {}\n", text)
        return re.sub(r"^.*health_check_config.*\n", "", text, flags=re.MULTILINE)


class Renewed(Setup):
    """Two workers, renewed by SIGHUP."""

    name = "two workers, SIGHUP"

    def __init__(self, folder: Path, *, has_ready: bool = True) -> None:
        super().__init__(folder, has_ready=has_ready)
        self.instances = [Instance(folder, "--workers", "2", port=self.port)]

    async def restart(self, number: int, tally: Tally) -> float:
        """Renew them, and wait until those that served are gone and others answer."""
        [instance] = self.instances
        old = tally.processes(time.monotonic() - 2)
        began = self.send(instance, signal.SIGHUP)
        while any(map(is_alive, old)) or not tally.processes(began) - old:
            assert instance.process is not None
            if instance.process.poll() is not None:
                self.notes["ended by SIGHUP"] += 1
                await instance.start()
                break
            if time.monotonic() - began > BOUND:
                self.notes["not renewed"] += 1
                break
            await asyncio.sleep(_LOOK)
        return time.monotonic() - began


class Held(Setup):
    """One process that is given its listening socket, which stays open, as by systemd."""

    name = "one process, socket held"
    workers: tuple[str, ...] = ()

    def __init__(self, folder: Path, *, has_ready: bool = True) -> None:
        super().__init__(folder, has_ready=has_ready)
        self.socket = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self.instances = [
            Instance(folder, *self.workers, fd=self.socket.fileno(), **self.settings())
        ]

    def settings(self) -> dict[str, str]:
        """Return what this set-up sets."""
        return {}

    async def stop(self) -> None:
        """End the process and the socket."""
        await super().stop()
        self.socket.close()

    async def restart(self, number: int, tally: Tally) -> float:
        """Stop the process and start it again."""
        [instance] = self.instances
        began = self.send(instance, SIGNALS[number % 2])
        await self.signal_again(instance)
        await instance.wait(self.notes)
        took = time.monotonic() - began
        await instance.start()
        return took

    async def signal_again(self, instance: Instance) -> None:
        """Do nothing; one signal is enough here."""


class HeldWorkers(Held):
    """The same, with two workers."""

    name, workers = "two workers, socket held", ("--workers", "2")


class HangingPart(Held):
    """The same, with a part that hangs at the stop."""

    name = "one process, socket held, a part hangs"

    def settings(self) -> dict[str, str]:
        """Return what adds the part."""
        return {"RESTARTS_STUBBORN": "1"}


class HangingCollector(Held):
    """The same, with a collector of spans that accepts and is silent."""

    name = "one process, socket held, the collector hangs"

    def settings(self) -> dict[str, str]:
        """Return what sends spans there."""
        self.collector = socket.create_server(("127.0.0.1", 0))
        return {"ZIPKIN_SERVER": f"http://127.0.0.1:{self.collector.getsockname()[1]}/api/v2/spans"}

    async def stop(self) -> None:
        """End all, the collector too."""
        await super().stop()
        self.collector.close()


class SecondSignal(Held):
    """The same, with a second signal half a second after the first."""

    name = "one process, socket held, a second signal"
    pause = 0.5

    def __init__(self, folder: Path, *, has_ready: bool = True) -> None:
        super().__init__(folder, has_ready=has_ready)
        self.seconds: list[float] = []

    async def signal_again(self, instance: Instance) -> None:
        """Send it, if the first has not ended the process yet."""
        await asyncio.sleep(self.pause)
        assert instance.process is not None
        if instance.process.poll() is None:
            self.seconds.append(self.send(instance, random.choice(SIGNALS)))

    def is_cut(self, failure: Failure) -> bool:
        """Return whether the second signal ended a request that was under way."""
        if failure.kind in ("refused", "timeout", "wrong body"):
            return False
        return any(failure.began < second <= failure.failed for second in self.seconds)


class EarlySignal(Held):
    """The same; after each stop there are starts that a signal ends at any moment."""

    name = "one process, socket held, a signal during start"

    async def restart(self, number: int, tally: Tally) -> float:
        """Stop the process, break one start off, and start it; time what the signal took."""
        [instance] = self.instances
        self.send(instance, SIGNALS[number % 2])
        await instance.wait(self.notes)
        instance.launch()
        await asyncio.sleep(random.uniform(0.05, 3))
        began = self.send(instance, SIGNALS[number // 2 % 2])
        await instance.wait(self.notes)
        took = time.monotonic() - began
        await instance.start()
        return took


SETUPS: dict[str, Callable[..., Any]] = {
    "haproxy": HAProxy,
    "nginx": Nginx,
    "envoy": Envoy,
    "sighup": Renewed,
    "held": Held,
    "held-workers": HeldWorkers,
    "part": HangingPart,
    "collector": HangingCollector,
    "second": SecondSignal,
    "early": EarlySignal,
}


def free_port() -> int:
    """Return a port that nothing listens on, below those that the system gives to others."""
    while True:
        port = random.randrange(20_000, 32_000)
        if not is_taken(port):
            return port


def is_taken(port: int) -> bool:
    """Return whether *port* cannot be listened on."""
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def is_open(port: int) -> bool:
    """Return whether something listens on *port*."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def is_alive(pid: int) -> bool:
    """Return whether the process *pid* runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
