"""Python code inside a running service: `await`, names that stay, and ways to leave."""

import asyncio
import code
import signal
import threading
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager

import pytest

from msframework.management.commands import shell
from msframework.management.session import Prompt, ShellSession, run_source


class Running:
    """Something with the one method of a service that a session calls."""

    def __init__(self) -> None:
        self.events: list[str] = []

    @asynccontextmanager
    async def running(self):
        """Note start and stop."""
        self.events.append("start")
        yield self
        self.events.append("stop")


@pytest.fixture
def service():
    """Return a service that notes when its parts start and stop."""
    return Running()


def test_parts_run_as_long_as_the_session(service):
    with ShellSession(service):
        assert service.events == ["start"]

    assert service.events == ["start", "stop"]


def test_a_part_that_cannot_start_is_the_error_of_the_session(service):
    @asynccontextmanager
    async def running():
        raise OSError("no database")
        yield

    service.running = running

    with pytest.raises(OSError, match="no database"), ShellSession(service):
        pytest.fail("the session began")


def test_a_failure_at_the_end_is_not_lost(service):
    @asynccontextmanager
    async def running():
        yield
        raise OSError("cannot stop")

    service.running = running

    with pytest.raises(OSError, match="cannot stop"), ShellSession(service):
        pass


def test_await_works_and_names_stay(service):
    scope = {"sleep": asyncio.sleep}

    with ShellSession(service) as session:
        run_source(session, "one = await sleep(0, 1)", scope)
        run_source(session, "two = one + 1", scope)

    assert scope["two"] == 2


def test_code_finds_the_running_loop(service):
    scope = {"asyncio": asyncio}

    with ShellSession(service) as session:
        run_source(session, "task = asyncio.create_task(asyncio.sleep(0, 5))", scope)
        run_source(session, "result = await task", scope)

    assert scope["result"] == 5


def test_an_exception_comes_out_with_its_line(service):
    with ShellSession(service) as session, pytest.raises(ZeroDivisionError) as caught:
        run_source(session, "a = 1\na / 0", {})

    assert caught.traceback[-1].lineno == 1
    assert service.events == ["start", "stop"]


def test_a_syntax_error_comes_out(service):
    with ShellSession(service) as session, pytest.raises(SyntaxError):
        run_source(session, "a =", {})


@pytest.mark.parametrize("source", ["exit(3)", "await sleep(0)\nexit(3)"])
def test_exit_leaves_with_its_code_and_stops_the_parts(service, source):
    with pytest.raises(SystemExit) as caught, ShellSession(service) as session:
        run_source(session, source, {"sleep": asyncio.sleep, "exit": exit_with})

    assert caught.value.code == 3
    assert service.events == ["start", "stop"]


def exit_with(status):
    """Leave, as the `exit` of the site module does, without closing standard input."""
    raise SystemExit(status)


@pytest.fixture
def interruptible():
    """Let SIGINT interrupt, whatever the tests were started with: `nohup` and some CI ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_cancels_what_is_awaited_and_not_the_session(service):
    scope = {"begun": threading.Event(), "asyncio": asyncio}
    source = "begun.set()\ntry:\n    await asyncio.Event().wait()\nfinally:\n    ended = True"

    def interrupt():
        scope["begun"].wait()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    with ShellSession(service) as session:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            run_source(session, source, scope)
        thread.join()
        run_source(session, "await asyncio.sleep(0)\nafter = ended", scope)

    assert scope["after"] is True


class Interrupting:
    """A loop that is interrupted as soon as it was handed something."""

    def __init__(self, loop):
        self._loop = loop

    def __getattr__(self, name):
        return getattr(self._loop, name)

    def call_soon_threadsafe(self, callback, *args):
        self._loop.call_soon_threadsafe(callback, *args)
        self.call_soon_threadsafe = self._loop.call_soon_threadsafe
        raise KeyboardInterrupt


def test_an_interrupt_on_the_way_to_the_loop_cancels_too(service):
    scope = {"asyncio": asyncio}
    source = "try:\n    await asyncio.Event().wait()\nfinally:\n    ended = True"

    with ShellSession(service) as session:
        loop, session._loop = session._loop, Interrupting(session._loop)
        with pytest.raises(KeyboardInterrupt):
            run_source(session, source, scope)
        session._loop = loop
        run_source(session, "await asyncio.sleep(0)", scope)

        pending = session.run(count_tasks())

    assert pending == 0


async def count_tasks():
    """Return how many tasks there are beside this one and the session's own."""
    return len(asyncio.all_tasks()) - 2


@pytest.mark.parametrize("failure", [ValueError("x"), asyncio.CancelledError()])
def test_what_a_coroutine_raises_reaches_the_thread_that_waits(service, failure):
    async def fail():
        raise failure

    with ShellSession(service) as session, pytest.raises((ValueError, CancelledError)):
        session.run(fail())


def feed(prompt: Prompt, *lines: str) -> str:
    """Type *lines* at the prompt, return what it writes of errors."""
    written: list[str] = []
    prompt.write = written.append
    for line in lines:
        prompt.push(line)
    return "".join(written)


def test_the_prompt_awaits_and_shows_values(service, capsys):
    scope = {"sleep": asyncio.sleep}

    with ShellSession(service) as session:
        feed(Prompt(session, scope), "await sleep(0, 41) + 1", "x = await sleep(0, 'kept')")

    assert capsys.readouterr().out == "42\n"
    assert scope["x"] == "kept"


def test_the_prompt_takes_blocks(service):
    scope = {"sleep": asyncio.sleep}

    with ShellSession(service) as session:
        feed(Prompt(session, scope), "for n in range(3):", "    last = await sleep(0, n)", "")

    assert scope["last"] == 2


def test_the_prompt_goes_on_after_an_error(service):
    with ShellSession(service) as session:
        prompt = Prompt(session, scope := {})
        written = feed(prompt, "1 / 0", "a = 1")

    assert "ZeroDivisionError" in written
    assert scope["a"] == 1


def test_the_prompt_goes_on_after_an_interrupt(service, monkeypatch):
    with ShellSession(service) as session:
        prompt = Prompt(session, {})
        monkeypatch.setattr(session, "run", raise_interrupt)
        written = feed(prompt, "1")

    assert "KeyboardInterrupt" in written


def raise_interrupt(coroutine):
    """Do what Control-C does while something is awaited."""
    coroutine.close()
    raise KeyboardInterrupt


def test_the_prompt_is_left_by_exit(service):
    with ShellSession(service) as session:
        prompt = Prompt(session, {"exit": exit_with})
        with pytest.raises(SystemExit):
            prompt.push("exit(0)")


@pytest.mark.usefixtures("interruptible")
def test_the_prompt_hears_an_interrupt_that_was_ignored_at_the_start(service, monkeypatch):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    monkeypatch.setattr(Prompt, "interact", lambda *_, **__: signal.raise_signal(signal.SIGINT))

    with ShellSession(service) as session, pytest.raises(KeyboardInterrupt):
        shell._prompt(session, {})


def test_the_prompt_is_pythons_own():
    assert issubclass(Prompt, code.InteractiveConsole)
