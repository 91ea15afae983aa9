"""Signals: the first one stops a server, the second ends it, and SIGHUP may mean another thing."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from msframework._early import HELD, hear_stops
from msframework.serving.signals import (
    EndedAtOnce,
    HangUp,
    ServerSignals,
    StopRequest,
    handle_signals,
    stopping_the_start,
)


@pytest.mark.parametrize(
    ("before", "now", "meaning"),
    [(False, False, True), (True, True, True), (True, False, False)],
)
def test_a_hang_up_means_files_unless_the_terminal_is_gone(monkeypatch, before, now, meaning):
    seen = iter([before, now])
    monkeypatch.setattr(HangUp, "_has_terminal", staticmethod(lambda: next(seen)))
    hang_up = HangUp()

    assert hang_up.means_reload(signal.SIGTERM) is False
    assert hang_up.means_reload(signal.SIGHUP) is meaning


def test_a_start_ends_in_order_and_leaves_a_hang_up_for_later(usual):
    heard = []
    signal.signal(signal.SIGHUP, lambda *_: heard.append("hang-up"))
    before = signal.getsignal(signal.SIGTERM)

    with ThreadPoolExecutor(1) as other:
        other.submit(int).result()  # its thread begins before the start
        with pytest.raises(SystemExit) as caught, stopping_the_start():
            other.submit(signal.raise_signal, signal.SIGHUP).result()
            assert heard == []
            os.kill(os.getpid(), signal.SIGTERM)

    assert (caught.value.code, heard) == (0, [])  # it is over: nobody is to hear the hang-up
    assert signal.getsignal(signal.SIGTERM) is before

    with stopping_the_start():
        os.kill(os.getpid(), signal.SIGHUP)
        assert heard == []
    assert heard == ["hang-up"]


def test_a_hang_up_of_the_start_is_for_the_server_that_it_became(usual):
    heard = []
    with stopping_the_start():
        os.kill(os.getpid(), signal.SIGHUP)
        handle_signals(lambda number, _: heard.append(number))
        assert heard == [signal.SIGHUP]

    assert heard == [signal.SIGHUP]


def test_a_hang_up_is_held_from_the_first_moment_on(usual):
    heard = []
    hear_stops()
    os.kill(os.getpid(), signal.SIGHUP)
    with stopping_the_start():
        handle_signals(lambda number, _: heard.append(number))

    assert heard == [signal.SIGHUP]


def test_a_hang_up_of_a_start_that_fails_changes_nothing(usual):
    hear_stops()
    with suppress(ValueError), stopping_the_start():
        os.kill(os.getpid(), signal.SIGHUP)
        raise ValueError

    HELD.clear()


def test_a_start_leaves_a_hang_up_ignored_that_was(usual):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stopping_the_start():
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_process_without_a_terminal_knows_it(monkeypatch):
    def refuse(*_):
        raise OSError

    assert HangUp._has_terminal() in (True, False)
    monkeypatch.setattr(os, "open", refuse)
    assert HangUp._has_terminal() is False


@pytest.fixture
def usual():
    """Give this process its handlers back afterwards."""
    before = {number: signal.getsignal(number) for number in (2, 15, 1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_first_signal_stops_and_the_second_ends_at_once(usual, number, monkeypatch):
    monkeypatch.setattr(HangUp, "_has_terminal", staticmethod(iter((True, False)).__next__))
    stop, ended = StopRequest(), []
    signals = ServerSignals(stop, on_end=lambda: ended.append("watchdog"))
    signals.begin()

    os.kill(os.getpid(), number)
    assert (stop.is_made, stop.has_delay, ended) == (True, True, [])
    with pytest.raises(EndedAtOnce) as caught:
        os.kill(os.getpid(), signal.SIGTERM)

    assert (caught.value.code, ended) == (143, ["watchdog"])
    signals.end()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_hang_up_reads_files_anew_and_stops_nothing(usual, monkeypatch):
    monkeypatch.setattr(HangUp, "_has_terminal", staticmethod(lambda: False))
    stop, done = StopRequest(), []
    ServerSignals(stop, reload=lambda: done.append("reload")).begin()

    os.kill(os.getpid(), signal.SIGHUP)

    assert (done, stop.is_made) == (["reload"], False)


def test_a_supervised_worker_leaves_hang_ups_and_second_signals_to_its_supervisor(usual):
    stop = StopRequest()
    signals = ServerSignals(stop, is_supervised=True)
    signals.begin()

    os.kill(os.getpid(), signal.SIGHUP)
    assert not stop.is_made
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
    assert stop.is_made
    signals.end()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
