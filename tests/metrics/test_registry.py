"""Metrics are checked when they are registered, bounded, and count what they are told."""

import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.metrics import Metrics
from msframework.metrics.family import MAX_TEXT


@pytest.fixture
def metrics():
    return Metrics()


def values(family):
    """Return the value of each series of *family*, by its labels."""
    return {series.labels: series.value for series in family}


def test_a_counter_adds_up_by_its_labels(metrics):
    orders = metrics.counter("orders_total", "Orders.", ["country"])

    orders.series("cn").add()
    orders.series("cn").add(2)
    orders.series("de").add(0.5)

    assert values(orders) == {("cn",): 3.0, ("de",): 0.5}


def test_a_metric_without_labels_is_there_with_0_from_the_start(metrics):
    assert values(metrics.gauge("waiting", "Waiting.")) == {(): 0.0}


def test_a_gauge_comes_and_goes(metrics):
    gauge = metrics.gauge("waiting", "Waiting.").series()

    gauge.set(5)
    gauge.add(-2)

    assert gauge.value == 3


@pytest.mark.parametrize(
    ("value", "bucket"), [(0.0, 0), (1.0, 0), (1.5, 1), (2.0, 1), (2.1, 2), (math.inf, 2)]
)
def test_a_histogram_counts_a_value_in_the_first_bucket_that_holds_it(metrics, value, bucket):
    series = metrics.histogram("size_bytes", "Sizes.", buckets=(1, 2)).series()

    series.observe(value)

    assert [*series.cells] == [value, *(float(bucket == each) for each in range(3))]


def test_series_refuse_what_another_kind_of_metric_does(metrics):
    with pytest.raises(TypeError, match="orders_total is a counter, which has no observe"):
        metrics.counter("orders_total", "Orders.").series().observe(1)
    with pytest.raises(TypeError, match="orders_total is a counter, which has no set"):
        metrics.counter("orders_total", "Orders.").series().set(1)
    with pytest.raises(TypeError, match="size_bytes is a histogram, which has no add"):
        metrics.histogram("size_bytes", "Sizes.").series().add(1)


@pytest.mark.parametrize("amount", [-1, math.nan])
def test_a_counter_only_grows(metrics, amount):
    with pytest.raises(ValueError, match="which only grows"):
        metrics.counter("orders_total", "Orders.").series().add(amount)


def test_the_same_metric_is_made_once(metrics):
    one = metrics.counter("orders_total", "Orders.", ["country"])

    assert metrics.counter("orders_total", "Orders.", ("country",)) is one


REFUSED = {
    "a name with a dash": (("gauge", "a-b", "Help."), "is no name of a metric"),
    "an empty name": (("gauge", "", "Help."), "is no name of a metric"),
    "a name that is none": (("gauge", 7, "Help."), "is no name of a metric"),
    "a counter without its suffix": (("counter", "orders", "Help."), "Call it orders_total"),
    "a suffix alone": (("counter", "_total", "Help."), 'a name that ends in "_total"'),
    "a gauge with the suffix of another": (("gauge", "a_count", "Help."), "Call it a."),
    "a counter with two suffixes": (("counter", "a_sum_total", "Help."), "Call it a."),
    "no help": (("gauge", "a", " "), "it has no help text"),
    "a label with a dash": (("gauge", "a", "Help.", ["a-b"]), "is no name of a label"),
    "a label of Prometheus": (("gauge", "a", "Help.", ["__name__"]), "is no name of a label"),
    "the label of buckets": (("histogram", "a", "Help.", ["le"]), "belongs to Prometheus"),
    "a label twice": (("gauge", "a", "Help.", ["b", "b"]), "stands twice"),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_a_metric_that_cannot_be_exposed_is_refused(metrics, case):
    (kind, *arguments), text = REFUSED[case]

    with pytest.raises(ImproperlyConfigured, match=rf"service\.metrics\.{kind}") as caught:
        getattr(metrics, kind)(*arguments)

    assert text in str(caught.value)


@pytest.mark.parametrize("buckets", [(), (1, 1), (2, 1), (1, math.inf), (math.nan,), ("1",)])
def test_buckets_are_finite_numbers_that_grow(metrics, buckets):
    with pytest.raises(ImproperlyConfigured, match="finite numbers that grow"):
        metrics.histogram("size_bytes", "Sizes.", buckets=buckets)


def test_one_name_stands_for_one_metric(metrics):
    metrics.counter("orders_total", "Orders.", ["country"])

    with pytest.raises(ImproperlyConfigured, match=r"a metric of that name with labels \('country"):
        metrics.counter("orders_total", "Orders.")
    with pytest.raises(ImproperlyConfigured, match="its name in OpenMetrics"):
        metrics.gauge("orders", "Orders.")


def test_one_text_is_one_label(metrics):
    assert metrics.gauge("a", "Help.", "country").labels == ("country",)


def test_values_of_labels_have_to_fit(metrics):
    family = metrics.gauge("a", "Help.", ["country"])

    with pytest.raises(ValueError, match=r"\('cn', 'de'\) for the labels country"):
        family.series("cn", "de")
    with pytest.raises(TypeError, match="7 is no text"):
        family.series(7)


def test_any_text_is_the_value_of_a_label_cut_to_a_bounded_length(metrics):
    family = metrics.gauge("a", "Help.", ["country"])

    family.series("\udc80" + "x" * 1000)

    assert [*values(family)] == [("?" + "x" * (MAX_TEXT - 1),)]


def test_values_beyond_the_bound_are_those_of_one_series_and_are_counted(metrics):
    family = metrics.counter("orders_total", "Orders.", ["country"], max_series=2)

    for country in ("cn", "de", "fr", "it", "cn"):
        family.series(country).add()
    metrics.take_readings()

    assert values(family) == {("cn",): 2, ("de",): 1, ("other",): 2}
    folded = {each.name: each for each in metrics}["msframework_series_folded_total"]
    assert values(folded) == {("orders_total",): 2}


def test_a_reading_takes_the_place_of_the_values(metrics):
    found = {("cn",): 1.0, ("de",): 2.0}
    gauge = metrics.gauge("a", "Help.", ["country"], read=lambda: found)
    counter = metrics.counter("b_total", "Help.", read=lambda: 7)
    metrics.take_readings()

    del found["cn",]
    metrics.take_readings()

    assert values(gauge) == {("cn",): 0, ("de",): 2}
    assert values(counter) == {(): 7}


def test_a_reading_that_fails_is_logged_once_and_the_others_go_on(metrics, caplog):
    metrics.gauge("a", "Help.", read=lambda: 1 / 0)
    good = metrics.gauge("b", "Help.", read=lambda: 1)

    metrics.take_readings()
    metrics.take_readings()

    assert values(good) == {(): 1}
    assert [record.message for record in caplog.records] == ["a: its `read` failed"]


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_threads_lose_no_count(tmp_path, shared):
    metrics = Metrics()
    counter = metrics.counter("rounds_total", "Rounds.", ("number",))
    histogram = metrics.histogram("round_seconds", "Rounds.")
    if shared:
        metrics.begin_sharing(tmp_path)
    rounds, threads = 300, 4
    together = threading.Barrier(threads)
    interval = sys.getswitchinterval()

    def count():
        observe = histogram.series().observe
        for number in range(rounds):
            together.wait()  # so that all ask for a new series at once
            counter.series(str(number)).add()
            for _ in range(20):
                observe(0.01)

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(count) for _ in range(threads)]:
                done.result()
    finally:
        sys.setswitchinterval(interval)

    assert sum(series.value for series in counter) == rounds * threads
    assert sum(histogram.series().cells[1:]) == rounds * threads * 20
    metrics.end_sharing()
