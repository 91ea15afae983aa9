"""Models that change at random, a few times in every run and many times before a release."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.migrations.changes import machine
from tests.migrations.changes.bench import open_bench


@pytest.fixture(scope="module", autouse=True)
def bench(server_url, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.dont_write_bytecode", True)
        with open_bench(server_url, tmp_path_factory.mktemp("machine")) as made:
            patch.setattr(machine, "bench", made)
            yield


def run(examples, **more):
    run_state_machine_as_test(
        machine.ModelMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=10,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            **more,
        ),
    )


@pytest.mark.acceptance
@pytest.mark.timeout(600)
def test_models_that_change_at_random():
    run(4, derandomize=True, phases=[Phase.generate])


@pytest.mark.acceptance
@pytest.mark.timeout(3600)
def test_models_that_change_at_random_many_times():
    run(int(os.environ.get("CHANGED_MODELS", "100")))
    print(machine.counts)  # pytest -s shows how far it is
