"""The metrics of the process: what its limits are called in Prometheus."""

import resource

import pytest

from msframework.metrics import Metrics
from msframework.metrics.process import register_process


@pytest.mark.parametrize(
    ("limit", "told"), [(1024, 1024), (resource.RLIM_INFINITY, float(2**64 - 1))]
)
def test_no_limit_of_descriptors_is_the_largest_number(monkeypatch, limit, told):
    metrics = Metrics()
    register_process(metrics)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit, limit))

    metrics.take_readings()
    (line,) = [
        line
        for line in metrics.render()[0].decode().splitlines()
        if line.startswith("process_max_fds")
    ]

    assert float(line.split()[1]) == told
