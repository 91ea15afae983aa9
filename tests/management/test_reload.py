"""What SIGHUP means to a server with TLS, and how it goes on to the workers that serve."""

import asyncio
import os
import signal
from types import SimpleNamespace

import pytest
from sanic.server import runners

from msframework.management import workers
from msframework.management.workers import HangUp, SignalStop, Workers
from tests.conftest import with_settings


@pytest.mark.parametrize(
    ("has_tls", "before", "now", "meaning"),
    [
        (False, True, True, False),
        (False, False, False, False),
        (True, False, False, True),
        (True, True, True, True),
        (True, True, False, False),
    ],
    ids=["plain at a terminal", "plain", "a service", "a terminal", "a terminal that is gone"],
)
def test_a_hang_up_means_a_reload_unless_the_terminal_is_gone(
    has_tls, before, now, meaning, monkeypatch
):
    answers = iter([before, now] if has_tls else [now])
    monkeypatch.setattr(HangUp, "_has_terminal", staticmethod(lambda: next(answers)))
    hang_up = HangUp(has_tls)

    assert not hang_up.means_reload(signal.SIGTERM)
    assert hang_up.means_reload(signal.SIGHUP) is meaning


def test_a_process_without_a_terminal_knows_it(monkeypatch):
    def refuse(*_):
        raise OSError

    assert HangUp._has_terminal() in (True, False)
    monkeypatch.setattr(os, "open", refuse)
    assert HangUp._has_terminal() is False


@pytest.fixture
def service(monkeypatch):
    """Return the stand-in of a service with TLS, which counts what it is told."""
    monkeypatch.setattr(workers, "handle_signals", lambda handler: None)
    monkeypatch.setattr(runners, "_setup_system_signals", None)
    monkeypatch.setenv("SANIC_WORKER_PROCESS", "")  # a server sets it for the rest of its process
    monkeypatch.setattr(HangUp, "_has_terminal", staticmethod(lambda: False))
    service = SimpleNamespace(
        state=SimpleNamespace(is_running=False),
        stop=lambda terminate: service.told.append("stop"),
        register_listener=lambda *_, **__: None,
        told=[],
    )
    service.settings = with_settings(tls={"cert": "a.pem"})
    service.reload_certificates = lambda: service.told.append("reload")
    return service


async def test_a_signal_before_it_serves_is_heard_when_it_does(service):
    stop = SignalStop(service)
    stop._note(signal.SIGHUP, None)
    stop._note(signal.SIGHUP, None)
    assert service.told == []

    service.state.is_running = True
    stop._watch(asyncio.get_running_loop())

    assert service.told == ["reload"]


async def test_a_signal_while_it_serves_is_heard_at_once_and_stops_nothing(service):
    stop = SignalStop(service)
    service.state.is_running = True
    stop._take_over(asyncio.get_running_loop())
    for _ in range(2):
        stop._note(signal.SIGHUP, None)
        await asyncio.sleep(0)
    assert service.told == ["reload", "reload"]

    stop._note(signal.SIGTERM, None)
    await asyncio.sleep(0)

    assert service.told == ["reload", "reload", "stop"]


def test_workers_are_told_when_they_serve(monkeypatch):
    told = []
    monkeypatch.setattr(os, "kill", lambda pid, number: told.append((pid, number)))
    monkeypatch.setattr(HangUp, "_has_terminal", staticmethod(lambda: False))
    monkeypatch.setattr(workers, "handle_signals", lambda handler: None)
    processes = [SimpleNamespace(name=name, pid=number) for number, name in enumerate("ab", 1)]
    manager = SimpleNamespace(
        transient={"all": SimpleNamespace(processes=processes)},
        worker_state={"a": {"server": True, "serving": True}, "b": {"server": True}},
    )
    workers_of = Workers.__new__(Workers)
    vars(workers_of).update(vars(manager))
    Workers.take_over(workers_of, has_files=True)

    workers_of.shutdown_signal(signal.SIGHUP, None)
    assert workers_of.signals_seen == 0
    workers_of._pass_on_reload()
    assert told == [(1, signal.SIGHUP)]

    workers_of.worker_state["b"] = {"server": True, "serving": True}
    workers_of._pass_on_reload()
    assert told == [(1, signal.SIGHUP), (2, signal.SIGHUP)]
    assert workers_of.outdated == set()
