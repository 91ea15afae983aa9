"""Restarts under load lose no request: benchmarks/restarts.py in short; it prints the table."""

import shutil

import pytest

from benchmarks.restart_setups import SETUPS, Proxied
from benchmarks.restarts import measure
from tests.processes import usual_signals

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]


@pytest.mark.parametrize("name", SETUPS)
async def test_callers_lose_nothing_when_a_service_is_restarted(name, tmp_path):
    setup = SETUPS[name](tmp_path)
    if isinstance(setup, Proxied) and shutil.which(setup.program) is None:
        pytest.skip(f"no {setup.program} here")

    with usual_signals():
        row = await measure(setup, 2, scale=0.4)

    assert row.tally.requests.total() > 100
    assert row.tally.failures == []
    assert not {"killed", "not renewed", "ended by SIGHUP"} & row.notes.keys()
