"""A service under load while its PostgreSQL is harmed; `python -m benchmarks.faults` is the same.

One test for each fault, in turn, on one server and one service that is never restarted.
"""

import asyncio
import os
from pathlib import Path

import pytest

from benchmarks.faults import Outcome, format_table, running
from benchmarks.harm import FAULTS

pytestmark = [pytest.mark.acceptance, pytest.mark.alone, pytest.mark.timeout(900)]

REPORTS = Path(__file__).resolve().parents[2] / "reports"
# Faults that no service could hide: some requests must have met them, or nothing was tested.
FELT = {"terminate", "crash", "restart", "freeze_alone", "crowd", "exhaust", "exceed"}


PATIENCE = 5.0  # with a machine that does something else; `benchmarks.faults` has none


@pytest.fixture(scope="module")
def outcomes():
    """What each fault did; the table goes to `reports/faults.txt`."""

    async def strike_with_all():
        async with running() as strike:
            return {fault: await strike(fault) for fault in FAULTS}

    outcomes = asyncio.run(strike_with_all())
    REPORTS.mkdir(exist_ok=True)
    (REPORTS / "faults.txt").write_text(format_table(list(outcomes.values())) + os.linesep)
    return outcomes


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_answered_in_time_and_loses_nothing(outcomes, fault):
    outcome = outcomes[fault]

    assert outcome.mistakes(PATIENCE) == []
    assert outcome.ok > 100
    assert outcome.acknowledged
    if fault in FELT:
        assert outcome.unavailable > 0


def test_what_is_not_as_it_should_be_is_named():
    outcome = Outcome("any", statuses={200: 5, 500: 1, -1: 1, 503: 2}, bare=1, lost=1)
    outcome.doubled, outcome.halved, outcome.recovery, outcome.slowest = 1, 1, 2.5, 60.0
    outcome.last_failure = 1.0

    assert len(outcome.mistakes()) == 8
    assert outcome.other == 2
