"""Every change of the table, from models to models and back."""

import pytest

from tests.migrations.changes.bench import open_bench
from tests.migrations.changes.course import run
from tests.migrations.changes.table import CHANGES


@pytest.fixture(scope="module")
def bench(server_url, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.dont_write_bytecode", True)
        with open_bench(server_url, tmp_path_factory.mktemp("changes")) as made:
            yield made


def _marks(number, change):
    return [] if change.daily or number % 5 == 0 else [pytest.mark.acceptance]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, id=change.name, marks=_marks(number, change))
        for number, change in enumerate(CHANGES)
    ],
)
def test_change(bench, change):
    outcome = run(bench, change)
    assert not outcome.fault, outcome.fault
    assert all(outcome.marks), outcome
