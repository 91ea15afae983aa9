"""What SIGHUP means: files are to be read anew, or the terminal is gone."""

import os
import signal

import pytest

from msframework.serving.signals import HangUp


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
