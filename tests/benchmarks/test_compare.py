"""Two results are compared by what the machine's mood leaves alone."""

import json

import pytest

from benchmarks.compare import differing_facts, find_changes, main
from tests.benchmarks.results import make_result, make_run


def rounds(peer, *rates):
    """Return one run a round."""
    return [make_run(peer, rate, number) for number, rate in enumerate(rates)]


OLD = make_result(*rounds("sanic", 100, 100), *rounds("msframework", 200, 202))
# The same machine at half its speed: raw Sanic is slower too, msframework by more than that.
SLOW = make_result(*rounds("sanic", 50, 50), *rounds("msframework", 80, 81), sanic="25.12.2")


def change_of(peer, old, new):
    """Return the change of *peer*."""
    return next(change for change in find_changes(old, new) if change.peer == peer)


def test_ratios_are_compared_and_not_rates():
    change = change_of("msframework", OLD, SLOW)

    assert change.unit == "x sanic"
    assert change.share == pytest.approx(1.61 / 2.01 - 1)
    assert change.verdict == "slower"


def test_raw_sanic_itself_is_compared_by_its_rate():
    assert change_of("sanic", OLD, SLOW).share == pytest.approx(-0.5)


def test_a_change_within_the_noise_is_none():
    noisy = make_result(*rounds("sanic", 100, 100), *rounds("msframework", 180, 230))

    assert change_of("msframework", OLD, noisy).verdict == ""


def test_differing_versions_are_named():
    assert differing_facts(OLD, SLOW) == ["sanic: 25.12.1 -> 25.12.2"]


@pytest.mark.parametrize(("limit", "code"), [("10", 1), ("30", 0)])
def test_the_exit_code_says_whether_too_much_was_lost(limit, code, tmp_path, capsys):
    paths = [tmp_path / "old.json", tmp_path / "new.json"]
    for path, result in zip(paths, (OLD, SLOW), strict=True):
        path.write_text(json.dumps(result))

    exit_code = main([*map(str, paths), "--peer", "msframework", "--fail-slower", limit])

    assert exit_code == code
    assert "slower" in capsys.readouterr().out
