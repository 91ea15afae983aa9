"""Workers that die, hang, renew and stop, under a real supervisor and fork server.

They are processes of a few lines, told by files what to do, so that many of them are cheap.
"""

import faulthandler
import logging
import multiprocessing
import os
import resource
import signal
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from msframework.management import process
from msframework.management import worker as worker_module
from msframework.management.control import Serving, StartFailure, WorkerControl
from msframework.management.process import RestartPause, WorkerState, describe_exit
from msframework.management.start import Start, StartMode
from msframework.management.supervisor import Supervisor
from msframework.management.worker import Launcher
from msframework.metrics.process import START_REASONS
from msframework.operations.status import Status


def act(start, sock, pipes, environment, shared):
    """Serve as *start* says: its module is the file that a worker looks at, to misbehave."""
    control, stop = WorkerControl(*pipes), threading.Event()
    control.watch(lambda is_last: stop.set(), lambda: os._exit(9))
    words = Path(start.module).read_text().split()
    place = Path(start.name)
    if "fail" in words and start.mode is not StartMode.STAND_IN:
        control.send(StartFailure("no database"))
        raise SystemExit(1)
    if "die" in words:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "sleep" in words:
        time.sleep(60)
    if "stammer" in words:
        send(pipes, b"\0\0\0\3abc")
        time.sleep(60)
    faulthandler.register(process.STACKS, file=2)
    (place / f"{environment['SANIC_WORKER_NAME']} {start.mode.value}").touch()
    control.send(Serving(0.2))
    while not stop.wait(0.05):
        control.send(Status(time.monotonic()))
    if "hang" in words:
        time.sleep(60)


def send(pipes, data):
    """Send *data*, whatever it is, to the supervisor."""
    with suppress(OSError):
        os.write(pipes[1].fileno(), data)


@pytest.fixture(scope="module")
def fork_server():
    """Let the fork server know this module; ended afterwards."""
    multiprocessing.set_forkserver_preload(["tests.management.test_supervisor"])
    yield multiprocessing.forkserver._forkserver
    multiprocessing.forkserver._forkserver._stop()


class Crew:
    """A supervisor of such workers, which runs as long as a test says."""

    def __init__(self, folder: Path) -> None:
        self.words, self.place = folder / "words", folder / "served"
        self.place.mkdir()
        self.words.touch()
        self.announced: list[float] = []
        self.changes: list[str] = []

    def build(self, count: int, **options) -> Supervisor:
        sock = socket.create_server(("127.0.0.1", 0))
        start = Start(str(self.words), str(self.place), False, False, False)
        launcher = Launcher(start, sock, {}, act)
        self.supervisor = Supervisor(
            count, launcher, sock, lambda: self.announced.append(time.monotonic()), **options
        )
        return self.supervisor

    def until(self, condition) -> None:
        """Let the supervisor work until *condition* holds."""
        deadline = time.monotonic() + 200
        while not condition():
            assert time.monotonic() < deadline
            self.supervisor._turn()

    def serving(self) -> list[int]:
        """Return the pids of those that serve, by index."""
        workers = sorted(self.supervisor.workers, key=lambda each: (each.index, each.generation))
        return [each.pid for each in workers if each.state is WorkerState.SERVING]

    def served(self) -> list[str]:
        """Return name and occasion of all that have served."""
        return sorted(path.name.removeprefix("Sanic-Server-") for path in self.place.iterdir())


@pytest.fixture
def crew(tmp_path, fork_server):
    """Return a crew; its workers are killed afterwards."""
    crew = Crew(tmp_path)
    yield crew
    crew.supervisor._kill_all()
    crew.supervisor._sock.close()
    for worker in crew.supervisor.workers:
        worker.process.join()
        worker.release()


@contextmanager
def two_serving(crew, **options):
    """Have two workers serve, and signals heard."""
    supervisor = crew.build(2, **options)
    with supervisor._hearing_signals():
        crew.until(lambda: crew.announced)
        yield supervisor


def ended(supervisor):
    return lambda: not supervisor.workers


def signal_supervisor(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (3, "ended with exit code 3"),
        (-11, "was killed by SIGSEGV"),
        (-9, "was killed by SIGKILL, maybe for want of memory"),
        (-99, "was killed by signal 99"),
    ],
)
def test_an_end_is_named(code, said):
    assert describe_exit(code) == said


def test_a_pause_grows_until_one_has_served_a_while():
    pause = RestartPause()

    assert [pause.take(0.1) for _ in range(9)] == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [pause.take(11.0), pause.take(0.1)] == [0, 0.5]


def test_workers_are_replaced_renewed_and_stopped(crew, caplog):
    caplog.set_level(logging.INFO, "msframework.supervisor")
    with two_serving(crew) as supervisor:
        first, second = crew.serving()

        os.kill(first, signal.SIGKILL)
        crew.until(lambda: len(crew.serving()) == 2 and first not in crew.serving())
        assert f"worker 0 (pid {first}), which served for" in caplog.text
        assert "was killed by SIGKILL" in caplog.text
        assert crew.serving()[1] == second

        before = crew.serving()
        signal_supervisor(signal.SIGHUP)
        fewest = 2

        def renewed():
            nonlocal fewest
            fewest = min(fewest, len(crew.serving()))
            return "all workers are renewed" in caplog.text

        crew.until(renewed)
        assert fewest == 2  # each left when another served in its place
        assert set(crew.serving()).isdisjoint(before)
        assert crew.served() == ["0-0 first", "0-1 died", "0-2 renewed", "1-0 first", "1-1 renewed"]
        assert len(crew.announced) == 1

        signal_supervisor(signal.SIGTERM)
        crew.until(ended(supervisor))
        assert supervisor.is_stopping
        assert supervisor.failure is None
        assert supervisor._sock.fileno() == -1
    assert "while it stopped" not in caplog.text


def test_a_renewal_that_fails_leaves_the_old_workers_alone(crew, caplog):
    with two_serving(crew):
        before = crew.serving()
        crew.words.write_text("fail")
        signal_supervisor(signal.SIGHUP)

        crew.until(lambda: "The renewal is broken off" in caplog.text)

        assert "no database" in caplog.text
        assert crew.serving() == before


def test_one_that_dies_again_waits_while_the_others_go_on(crew, caplog):
    with two_serving(crew) as supervisor:
        first, second = crew.serving()
        crew.words.write_text("die")
        os.kill(first, signal.SIGKILL)

        crew.until(lambda: "Another is tried in 1 s" in caplog.text)
        assert "could not start: it was killed by SIGSEGV\nAnother is tried in 0.5 s" in caplog.text
        assert crew.serving() == [second]

        crew.words.write_text("")
        crew.until(lambda: len(crew.serving()) == 2)
        assert supervisor.failure is None


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("fail", "no database"),
        ("die", "it was killed by SIGSEGV"),
        ("sleep", "within 0.5 s"),
        ("stammer", "it was killed, as it sent what is no message"),
    ],
)
def test_a_first_start_that_fails_ends_the_service(crew, word, said, monkeypatch, caplog):
    if word == "sleep":
        monkeypatch.setattr(worker_module, "START_TIME", 0.5)
        monkeypatch.setattr("msframework.management.supervisor.START_TIME", 0.5)
    crew.words.write_text(word)
    supervisor = crew.build(2)

    supervisor.run()

    assert said in supervisor.failure
    assert supervisor.workers == []
    assert crew.announced == []
    assert caplog.text == ""


@pytest.mark.punctual
def test_one_that_hangs_is_killed_after_a_warning(crew, caplog, monkeypatch):
    monkeypatch.setattr(process, "SILENCE", 0.5)
    monkeypatch.setattr(process, "HANG", 0.5)
    with two_serving(crew):
        first, second = crew.serving()
        os.kill(first, signal.SIGSTOP)
        crew.until(lambda: "hangs" in caplog.text)
        os.kill(first, signal.SIGCONT)  # it goes on, and has printed its stacks
        crew.until(lambda: not any(worker.hangs for worker in crew.supervisor.workers))
        assert crew.serving() == [first, second]

        os.kill(first, signal.SIGSTOP)
        crew.until(lambda: len(crew.serving()) == 2 and first not in crew.serving())

    assert "0-1 hung" in crew.served()
    assert f"worker 0 (pid {first}) hangs: its loop has not turned for 10 s" in caplog.text
    assert "was killed, as its loop had not turned for 30 s; another takes its" in caplog.text
    assert crew.serving()[1] == second


@pytest.mark.punctual
def test_one_in_a_debugger_is_left_alone(crew, caplog, monkeypatch):
    monkeypatch.setattr(process, "SILENCE", 0.2)
    with two_serving(crew, find_changes=lambda: iter(())) as supervisor:
        before = crew.serving()
        os.kill(before[0], signal.SIGSTOP)
        crew.until(lambda: supervisor.workers[0].deadline is None)

        assert crew.serving() == before
    assert caplog.text == ""


def test_only_the_process_itself_is_killed_whoever_has_its_number_now(crew, monkeypatch):
    with two_serving(crew) as supervisor:
        worker = supervisor.workers[0]
        monkeypatch.setattr(os, "kill", pytest.fail)

        worker.kill()
        worker.process.join()
        worker.kill()
        with monkeypatch.context() as without:
            without.setattr(worker, "_descriptor", None)
            worker.kill()


def test_one_that_does_not_stop_is_killed(crew, caplog):
    crew.words.write_text("hang")
    with two_serving(crew) as supervisor:
        signal_supervisor(signal.SIGINT)
        crew.until(ended(supervisor))

    assert caplog.text.count("does not stop in time and is killed") == 2


def test_a_second_signal_ends_all_at_once(crew, caplog):
    crew.words.write_text("hang")
    with two_serving(crew) as supervisor:
        signal_supervisor(signal.SIGTERM)
        crew.until(lambda: supervisor.is_stopping)
        signal_supervisor(signal.SIGTERM)
        crew.until(ended(supervisor))

    assert caplog.text == ""


def test_a_hang_up_waits_for_no_pause(crew, monkeypatch):
    monkeypatch.setattr(process, "_FIRST_PAUSE", 600.0)
    monkeypatch.setattr(process, "LONGEST_PAUSE", 600.0)
    with two_serving(crew) as supervisor:
        crew.words.write_text("fail")
        os.kill(crew.serving()[0], signal.SIGKILL)
        crew.until(
            lambda: any(when > time.monotonic() + 60 for when, _ in supervisor._due.values())
        )

        crew.words.write_text("")
        signal_supervisor(signal.SIGHUP)
        crew.until(lambda: len(crew.serving()) == 2 and supervisor._outdated is None)


def test_workers_outlive_their_fork_server(crew, fork_server, caplog):
    with two_serving(crew) as supervisor:
        first, second = crew.serving()
        os.kill(fork_server._forkserver_pid, signal.SIGKILL)
        crew.until(lambda: all(each.is_lost for each in supervisor.workers))
        assert crew.serving() == [first, second]

        os.kill(first, signal.SIGKILL)
        crew.until(lambda: len(crew.serving()) == 2 and first not in crew.serving())
        assert second in crew.serving()

        signal_supervisor(signal.SIGTERM)
        crew.until(ended(supervisor))

    assert caplog.text.count("goes on, though its fork server is gone") == 2
    assert caplog.text.count("ended unseen, as its fork server is gone") == 1


def test_a_process_that_cannot_be_had_takes_no_worker_along(crew, fork_server, caplog):
    with two_serving(crew) as supervisor:
        first, second = crew.serving()
        # As fork(2) fails at a limit of processes: the fork server ends by its own failure.
        resource.prlimit(fork_server._forkserver_pid, resource.RLIMIT_NOFILE, (3, 3))
        os.kill(first, signal.SIGKILL)
        crew.until(lambda: len(crew.serving()) == 2 and first not in crew.serving())

        assert second in crew.serving()
        assert supervisor.failure is None

    assert "worker 0 cannot be started" in caplog.text


def test_a_service_whose_first_worker_cannot_be_started_ends(crew, monkeypatch):
    supervisor = crew.build(2)

    def fail(*_):
        raise OSError("no process")

    monkeypatch.setattr(supervisor, "_launch", fail)
    supervisor.run()

    assert "worker 0 cannot be started" in supervisor.failure


def test_a_change_starts_all_again_and_a_failure_has_a_stand_in(crew):
    changes = [[], ["a.py"], []]

    def find_changes():
        return iter(changes.pop(0) if changes else ())

    with two_serving(crew, find_changes=find_changes, on_change=crew.changes.extend):
        crew.words.write_text("fail")
        crew.until(lambda: "1-2 stand-in" in crew.served() and "0-2 stand-in" in crew.served())

    assert crew.changes == ["a.py"]
    assert tuple(mode.value for mode in StartMode) == START_REASONS
