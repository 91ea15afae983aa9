"""Restarts under load lose no request: benchmarks/restarts.py in short; it prints the table."""

import os

import pytest

from benchmarks.restart_setups import SETUPS, Proxied
from benchmarks.restarts import measure
from tests.acceptance.tools import deploy_programs, installed
from tests.processes import usual_signals

pytestmark = [pytest.mark.acceptance, pytest.mark.alone, pytest.mark.timeout(600)]


@pytest.mark.parametrize("name", SETUPS)
async def test_callers_lose_nothing_when_a_service_is_restarted(name, tmp_path, monkeypatch):
    if name == "envoy":
        monkeypatch.setenv("PATH", str(deploy_programs()), prepend=os.pathsep)
    setup = SETUPS[name](tmp_path)
    if isinstance(setup, Proxied):
        installed(setup.program)

    with usual_signals():
        row = await measure(setup, 2, scale=0.4)

    assert row.tally.requests.total() > 100
    assert row.tally.failures == []
    assert not {"killed", "not renewed", "ended by SIGHUP"} & row.notes.keys()
