"""The format of the files in which workers share their metrics.

A reader skips lines that are incomplete or malformed. Runs for each new series, and per scrape.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from msframework.exceptions import ImproperlyConfigured
from msframework.metrics.facts import Combine, MetricFacts, MetricKind
from msframework.metrics.series import count_cells
from msframework.metrics.snapshot import Snapshot


@dataclass(slots=True)
class SharedTable:
    """The series of one worker, or the sums of all dead ones.

    Attributes:
        found: metric, labels and numbers of each series.
        names: the workers that are part of the sums.
    """

    found: list[tuple[MetricFacts, tuple[str, ...], Sequence[float]]] = field(default_factory=list)
    names: frozenset[str] = frozenset()

    @classmethod
    def read(cls, lines: bytes, numbers: bytes) -> SharedTable:
        """Return the series in *lines* whose *numbers* are there, too."""
        cells = array("d", numbers[: len(numbers) // 8 * 8])
        table, known = cls(), dict[str, MetricFacts]()
        for item in _items(lines):
            match item:
                case {"name": str(name)}:
                    facts = _read_facts(item)
                    if facts is not None:
                        known[name] = facts
                case [str(name), [*labels], int(start)] if name in known and start >= 0:
                    count = count_cells(known[name])
                    table._add(known[name], labels, cells[start : start + count])
        return table

    def _add(self, facts: MetricFacts, labels: Sequence[object], cells: Sequence[float]) -> None:
        """Add a series, unless it does not fit its metric."""
        texts = tuple(each for each in labels if isinstance(each, str))
        fits = len(texts) == len(labels) == len(facts.labels)
        if fits and len(cells) == count_cells(facts):
            self.found.append((facts, texts, cells))

    def add_to(self, snapshot: Snapshot, *, leave_out: MetricKind | None = None) -> None:
        """Add all series to *snapshot*, except those of the kind *leave_out*."""
        for facts, labels, cells in self.found:
            if facts.kind is not leave_out:
                snapshot.add(facts, labels, cells)


def write_metric(facts: MetricFacts) -> bytes:
    """Return the line of a metric."""
    return _line(_facts(facts))


def write_series(facts: MetricFacts, labels: Sequence[str], start: int) -> bytes:
    """Return the line of a series whose cells begin at the index *start*."""
    return _line([facts.name, labels, start])


def write_store(snapshot: Snapshot, names: Sequence[str]) -> bytes:
    """Return the file of the dead: their sums, and the *names* of those added last."""
    lines = [_line({"names": names})]
    for facts, numbers in snapshot:
        lines.append(_line(_facts(facts)))
        lines += [_line([facts.name, labels, list(cells)]) for labels, cells in numbers.items()]
    return b"".join(lines)


def read_store(lines: bytes) -> SharedTable:
    """Return the sums of the dead."""
    table, known = SharedTable(), dict[str, MetricFacts]()
    for item in _items(lines):
        match item:
            case {"names": [*names]}:
                table.names = frozenset(map(str, names))
            case {"name": str(name)}:
                facts = _read_facts(item)
                if facts is not None:
                    known[name] = facts
            case [str(name), [*labels], [*numbers]] if name in known:
                cells = [float(each) for each in numbers if isinstance(each, int | float)]
                table._add(known[name], labels, cells)
    return table


def _line(item: object) -> bytes:
    return json.dumps(item, separators=(",", ":")).encode() + b"\n"


def _items(lines: bytes) -> Iterator[Any]:
    """Yield the items of the complete lines."""
    for line in lines.split(b"\n")[:-1]:
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            continue


def _facts(facts: MetricFacts) -> dict[str, object]:
    return {
        "name": facts.name,
        "kind": facts.kind.value,
        "help": facts.help,
        "labels": facts.labels,
        "buckets": facts.buckets,
        "combine": facts.combine.value,
        "exemplars": facts.exemplars,
        "max_series": facts.max_series,
    }


def _read_facts(found: dict[str, Any]) -> MetricFacts | None:
    """Return the metric of a line; `None` if it is malformed."""
    try:
        facts = MetricFacts(
            found["name"],
            MetricKind(found["kind"]),
            found["help"],
            tuple(found["labels"]),
            tuple(map(float, found["buckets"])),
            Combine(found["combine"]),
            bool(found["exemplars"]),
            int(found["max_series"]),
        )
        facts.check()
    except (KeyError, TypeError, ValueError, ImproperlyConfigured, OverflowError):
        return None
    return facts
