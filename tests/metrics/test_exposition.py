"""What is exposed is read by prometheus-client's own parsers, whatever labels say."""

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from msframework.metrics import MetricFacts, Metrics
from msframework.metrics.exposition import prefers_open_metrics
from msframework.metrics.facts import MetricKind

OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def samples(metrics, accept=""):
    """Return the samples that a scraper reads: (name, labels) to value."""
    text, media_type = metrics.render(accept)
    parse = parse_open_metrics if "openmetrics" in media_type else parse_plain
    return {
        (sample.name, *sorted(sample.labels.items())): sample
        for family in parse(text.decode())
        for sample in family.samples
    }


ACCEPTED = {
    "": False,
    "*/*": False,
    "text/plain": False,
    OPEN_METRICS: True,
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3": True,
    "application/openmetrics-text;q=0.3,text/plain;q=0.5": False,
    "application/openmetrics-text;q=0": False,
    "application/openmetrics-text;q=x": False,
    "application/openmetrics-text;version=\x00,;;,": True,
}


@pytest.mark.parametrize("accept", sorted(ACCEPTED))
def test_the_form_is_the_one_that_is_asked_for(accept):
    assert prefers_open_metrics(accept) is ACCEPTED[accept]


@pytest.mark.parametrize("accept", ["", OPEN_METRICS])
@pytest.mark.parametrize("value", ['"', "\\", "\n", "\\n", 'é"\\\n中', "a,b}c{d=", "", " "])
def test_any_text_is_a_label(accept, value):
    metrics = Metrics()
    metrics.counter("orders_total", "Orders.", ["country"]).series(value).add(2)

    assert samples(metrics, accept)["orders_total", ("country", value)].value == 2


def test_the_media_types_are_those_of_the_forms():
    metrics = Metrics()

    assert metrics.render("")[1] == "text/plain; version=0.0.4; charset=utf-8"
    assert metrics.render(OPEN_METRICS)[1] == OPEN_METRICS


@pytest.mark.parametrize("accept", ["", OPEN_METRICS])
def test_buckets_are_cumulative(accept):
    metrics = Metrics()
    series = metrics.histogram("size_bytes", "Sizes.", buckets=(1, 2)).series()
    for value in (0.5, 1.5, 1.5, 7):
        series.observe(value)

    found = samples(metrics, accept)

    assert [found["size_bytes_bucket", ("le", le)].value for le in ("1.0", "2.0", "+Inf")] == [
        *(1, 3, 4)
    ]
    assert found["size_bytes_count",].value == 4
    assert found["size_bytes_sum",].value == 10.5


@pytest.mark.parametrize("trace_id", [TRACE, TRACE[16:], "0" * 15 + "1", "f" * 32])
def test_a_bucket_has_the_trace_of_one_value_in_openmetrics(trace_id):
    metrics = Metrics()
    facts = MetricFacts("d_seconds", MetricKind.HISTOGRAM, "D.", (), (1.0, 2.0), exemplars=True)
    series = metrics.register(facts).series()
    series.observe(1.5)
    series.remember(1.5, trace_id)

    found = samples(metrics, OPEN_METRICS)
    exemplar = found["d_seconds_bucket", ("le", "2.0")].exemplar

    assert (exemplar.labels, exemplar.value) == ({"trace_id": trace_id}, 1.5)
    assert found["d_seconds_bucket", ("le", "1.0")].exemplar is None
    assert b"trace_id" not in metrics.render("")[0]
