"""Workers that share a directory are added up, alive or dead, whatever else lies in it."""

import os
import signal
import subprocess
import sys

import pytest

from msframework.metrics import Metrics, SharedMetrics

WORKER = """
import sys
from msframework.metrics import Metrics
metrics = Metrics()
orders = metrics.counter("orders_total", "Orders.", ["country"])
size = metrics.histogram("size_bytes", "Sizes.", buckets=(1, 2))
waiting = metrics.gauge("waiting", "Waiting.")
oldest = metrics.gauge("oldest", "Oldest.", combine="max")
orders.series("early").add()
metrics.begin_sharing(sys.argv[1])
for line in sys.stdin:
    for _ in range(int(line)):
        orders.series("cn").add()
        size.series().observe(1.5)
    waiting.series().set(int(line))
    oldest.series().set(int(line))
    print("done", flush=True)
"""


class Worker:
    """A process that counts in a shared directory."""

    def __init__(self, directory):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def count(self, number):
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def end(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.communicate()


def totals(directory):
    """Return the sum of each metric over its labels, a histogram's count among them."""
    return {
        facts.name: sum(numbers[0] for numbers in series.values())
        if facts.kind.value != "histogram"
        else sum(sum(numbers[1 : len(facts.buckets) + 2]) for numbers in series.values())
        for facts, series in SharedMetrics(directory).collect()
        if series
    }


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "metrics"
    path.mkdir()
    return path


def test_workers_add_up_before_and_after_one_was_killed(directory):
    one, two = Worker(directory), Worker(directory)
    try:
        one.count(1000)
        two.count(234)
        both = {"orders_total": 1236, "size_bytes": 1234, "waiting": 1234, "oldest": 1000}
        assert totals(directory) == both

        one.end()
        left = {"orders_total": 1236, "size_bytes": 1234, "waiting": 234, "oldest": 234}
        assert totals(directory) == left

        two.count(6)
        assert totals(directory) == left | {
            "orders_total": 1242,
            "size_bytes": 1240,
            "waiting": 6,
            "oldest": 6,
        }
    finally:
        one.end()
        two.end()

    assert totals(directory) == {"orders_total": 1242, "size_bytes": 1240}
    assert sorted(os.listdir(directory)) == ["dead.json", "lock"]


def share(directory):
    """Return metrics of one counter, which count in *directory*."""
    metrics = Metrics()
    metrics.counter("orders_total", "Orders.", ["country"])
    metrics.begin_sharing(directory)
    return metrics


def count(metrics, country="cn"):
    metrics.counter("orders_total", "Orders.", ["country"]).series(country).add()


def test_a_loop_of_crashes_leaves_one_file(directory):
    for _ in range(20):
        metrics = share(directory)
        count(metrics)
        metrics.end_sharing()

    assert len(os.listdir(directory)) <= 4
    assert totals(directory) == {"orders_total": 20}


def test_what_is_counted_after_the_end_stays_in_the_process(directory):
    metrics = share(directory)
    count(metrics)
    metrics.end_sharing()
    count(metrics)
    assert totals(directory) == {"orders_total": 1}

    metrics.begin_sharing(directory)
    assert totals(directory) == {"orders_total": 2}
    metrics.end_sharing()


# Threads of other tests may run on; CPython 3.12 and later warn of them.
@pytest.mark.filterwarnings("ignore:.* is multi-threaded, use of fork:DeprecationWarning")
def test_a_process_that_is_forked_does_not_count_for_its_parent(directory):
    metrics = share(directory)
    count(metrics)
    child = os.fork()
    if not child:
        try:
            count(metrics)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0

    assert totals(directory) == {"orders_total": 1}
    metrics.end_sharing()


def test_a_series_that_comes_later_lies_in_the_file_however_many_there_are(directory):
    metrics = share(directory)
    for number in range(3000):
        metrics.histogram("d_seconds", "D.", ["n"], max_series=4000).series(str(number)).observe(1)

    assert totals(directory) == {"d_seconds": 3000}
    metrics.end_sharing()


def worker_files(directory):
    """Return the paths of the two files of the only worker: its lines, and its numbers."""
    (lines,) = directory.glob("worker-*.series")
    return lines, lines.with_suffix(".cells")


@pytest.mark.parametrize(
    "line",
    [
        b'["orders_total",["de"],0',
        b'["orders_total",["de"],999999999]\n',
        b'["orders_total",["de"],-1]\n',
        b'["orders_total",["de","x"],0]\n',
        b'["orders_total",[7],0]\n',
        b'["unknown",["de"],0]\n',
        b'{"name":"orders_total"}\n',
        b'{"name":"a b","kind":"gauge","help":"","labels":[],"buckets":[]}\n',
        b"\xff\xfe\x00\n[[[[\nnull\n7\n",
        b"[" * 100_000 + b"\n",
    ],
    ids=range(10),
)
def test_a_line_that_is_torn_or_foreign_is_left_out(directory, line):
    metrics = share(directory)
    count(metrics)
    lines, _ = worker_files(directory)
    with lines.open("ab") as file:
        file.write(line)

    assert totals(directory) == {"orders_total": 1}
    metrics.end_sharing()


def test_files_that_are_torn_or_foreign_break_no_scrape(directory):
    metrics = share(directory)
    count(metrics)
    metrics.end_sharing()
    lines, numbers = worker_files(directory)
    numbers.write_bytes(numbers.read_bytes()[:3])
    (directory / "worker-1-a.series").write_bytes(lines.read_bytes())
    (directory / "worker-2-b.series").mkdir()
    (directory / "worker-3-c.cells").write_bytes(b"x")
    (directory / "dead.json").write_bytes(b"\x00\n[]\n")
    (directory / "something").write_bytes(b"else")

    assert totals(directory) == {}
    assert list(SharedMetrics(directory).collect()) == []
    assert sorted(os.listdir(directory)) == [
        *("dead.json", "lock", "something", "worker-2-b.series")
    ]


def test_a_fold_that_was_broken_off_counts_nothing_twice(directory):
    metrics = share(directory)
    count(metrics)
    metrics.end_sharing()
    lines, numbers = worker_files(directory)
    before = lines.read_bytes(), numbers.read_bytes()
    assert totals(directory) == {"orders_total": 1}

    lines.write_bytes(before[0])
    numbers.write_bytes(before[1])

    assert totals(directory) == {"orders_total": 1}
    assert totals(directory) == {"orders_total": 1}
    assert not lines.exists()


def test_without_room_for_the_sums_the_dead_are_counted_from_their_files(directory):
    metrics = share(directory)
    count(metrics)
    metrics.gauge("left", "Left.").series().set(7)
    metrics.end_sharing()
    (directory / "dead.new").mkdir()  # in the way, as a full disk is

    assert [totals(directory) for _ in range(2)] == [{"orders_total": 1}] * 2
    other = share(directory)
    count(other)
    assert totals(directory) == {"orders_total": 2}

    (directory / "dead.new").rmdir()
    other.end_sharing()
    assert totals(directory) == {"orders_total": 2}


def test_metrics_whose_facts_changed_follow_those_who_live(directory):
    old = share(directory)
    old.histogram("size_bytes", "Sizes.", buckets=(1, 2)).series().observe(1)
    count(old)
    old.end_sharing()
    new = share(directory)
    new.histogram("size_bytes", "Sizes.", buckets=(1, 2, 3)).series().observe(1)

    assert totals(directory) == {"orders_total": 1, "size_bytes": 1}
    new.end_sharing()


def test_the_series_of_all_workers_together_are_bounded(directory):
    for worker in range(3):
        metrics = Metrics()
        metrics.begin_sharing(directory)
        family = metrics.counter("a_total", "A.", ["n"], max_series=10)
        for number in range(10):
            family.series(f"{worker}-{number}").add()
        metrics.end_sharing()

    ((_, series),) = [
        found for found in SharedMetrics(directory).collect() if found[0].name == "a_total"
    ]
    assert len(series) == 11
    assert series["other",] == [20.0]


def test_a_directory_that_is_not_there_is_logged_and_numbers_stay_here(tmp_path, caplog):
    metrics = share(tmp_path / "missing")
    count(metrics)

    assert "metrics cannot be shared" in caplog.text
    assert b'orders_total{country="cn"} 1.0' in metrics.render()[0]
