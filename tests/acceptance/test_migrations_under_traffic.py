"""Each kind of change, on a table of 200,000 rows that others read and write meanwhile."""

import pytest

from benchmarks.migrations_under_traffic import CHANGES, measure, prepared

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    with prepared(tmp_path_factory.mktemp("traffic")) as fresh:
        yield fresh


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_nobody_waits_long_and_nothing_fails(fresh, change):
    with fresh() as url:
        found = measure(url, CHANGES[change])

    assert found.failures == []
    assert found.statements > 50
    assert found.blocked < 0.2
