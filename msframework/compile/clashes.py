"""Operations that cannot be served side by side: one id, one path, or paths that hide each other.

Runs at start-up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import combinations
from typing import Final

from sanic_routing.utils import path_to_parts

from msframework.operation import Operation
from msframework.problem import Problem

# Tells whether the texts of one kind of path parameter may be of another kind, too.
_SAMPLES: Final = (
    "1",
    "-1",
    "1.5",
    "abc",
    "a-b",
    "A~b",
    "a.txt",
    "2024-01-31",
    "ad8f1f9e-6c3b-4d8e-8a5e-2f1c3d4b5a69",
)
# The cast of each kind that Sanic's router knows; it raises ValueError for any other text.
Kinds = Mapping[str, tuple[Callable[[str], object], object, object]]
AcceptedTexts = frozenset[str]


def find_clashes(operations: Iterable[Operation], kinds: Kinds, problems: list[str]) -> None:
    """Refuse two operations with one id, on one method and path, or that hide each other."""
    ids: dict[str, Operation] = {}
    routes: dict[tuple[str, str, str], Operation] = {}
    good = []
    for operation in operations:
        taken = [
            routes.setdefault((operation.method, operation.template, host), operation)
            for host in operation.hosts or ("",)
        ]
        alike = next((other for other in taken if other is not operation), operation)
        same_id = ids.setdefault(operation.id, operation)
        if alike is not operation and shape_of(alike.path) == shape_of(operation.path):
            found = f"{operation.method} {operation.template} is taken by {alike.where}"
            advice = "Drop one of them, or change its path."
            problems.append(Problem(operation.where, found, advice=advice))
        elif same_id is not operation:
            found = f"the operation id {operation.id!r} is taken by {same_id.where}"
            advice = "Give one of them another with @doc.operation_id."
            problems.append(Problem(operation.where, found, advice=advice))
        else:
            good.append(operation)
    _find_hidden(good, kinds, problems)


def shape_of(path: str) -> tuple[str, ...]:
    """Return the parts of a path without the names of its parameters."""
    return tuple(f"<{kind}>" if name else kind for name, kind in read_parts(path))


def read_parts(path: str) -> list[tuple[str, str]]:
    """Return name and kind of each part of *path*; a literal part has no name."""
    found = []
    for part in path_to_parts(path):  # type: ignore[no-untyped-call]
        name, _, kind = part[1:-1].partition(":") if part.startswith("<") else ("", "", part)
        found.append((name.partition("=")[0], kind or ("str" if name else "")))
    return found


Methods = dict[str, Operation]
# The shape of a path, its hosts, and its methods.
Path = tuple[tuple[str, ...], tuple[str, ...], Methods]


def _find_hidden(operations: list[Operation], kinds: Kinds, problems: list[str]) -> None:
    """Refuse paths with parameters of which one is matched first, and lacks a method of the other.

    A literal part may hide a parameter: `/users/me` beside `/users/<name>` is meant so.
    """
    paths: dict[tuple[tuple[str, ...], tuple[str, ...]], Methods] = {}
    for operation in operations:
        if "<" in operation.path:
            key = (shape_of(operation.path), operation.hosts)
            paths.setdefault(key, {})[operation.method] = operation
    alike: dict[tuple[str, ...], list[Path]] = {}
    for (shape, hosts), methods in paths.items():
        literals = tuple("<" if part.startswith("<") else part for part in shape)
        _find_other_names(shape, methods, kinds, problems)
        alike.setdefault(literals, []).append((shape, hosts, methods))
    accepted = partial(_accepted, kinds=kinds, known={})
    for group in alike.values():
        for one, other in combinations(group, 2):
            _check_pair(one, other, accepted, problems)


def _check_pair(
    one: Path, other: Path, accepted: Callable[[str], AcceptedTexts], problems: list[str]
) -> None:
    order = _compare(one[0], other[0], accepted)
    if order is None:
        return
    (_, hosts, narrow), (_, other_hosts, wide) = (other, one) if order == "wider" else (one, other)
    lost = [wide[method] for method in wide if method not in narrow or hosts != other_hosts]
    if order == "crossing":
        lost += [narrow[method] for method in narrow if method not in wide]
    if lost:
        hiding = narrow if lost[0] in wide.values() else wide
        problems.append(_hidden(lost[0], next(iter(hiding.values()))))


def _hidden(hidden: Operation, hiding: Operation) -> Problem:
    return Problem(
        hidden.where,
        f"{hidden.method} {hidden.path} is hidden where {hiding.path} matches, too "
        f"({hiding.where}): there it would be a 405, or a 404 for another host",
        advice="Give both the same methods and hosts, or make the paths differ in more than the "
        "kind of a parameter.",
    )


def _find_other_names(
    shape: tuple[str, ...], same: Methods, kinds: Kinds, problems: list[str]
) -> None:
    """Refuse regular expressions whose parameters have a name for each method.

    NOTE: Sanic hands on the names in the expression of one of the routes.
    """
    if all(not part.startswith("<") or part[1:-1] in kinds for part in shape):
        return
    first, *others = same.values()
    problems.extend(
        Problem(
            other.where,
            f"{other.method} {other.path} names its parameters in another way than "
            f"{first.method} {first.path} ({first.where})",
            advice="With a regular expression they must have one name.",
        )
        for other in others
        if other.path != first.path
    )


def _compare(
    shape: tuple[str, ...], other: tuple[str, ...], accepted: Callable[[str], AcceptedTexts]
) -> str | None:
    """Tell how two paths overlap: `narrower`, `wider` or `crossing`; `None` when they do not."""
    narrower = wider = False
    for part, counterpart in zip(shape, other, strict=True):
        if part == counterpart:
            continue
        ours, theirs = accepted(part), accepted(counterpart)
        if not ours & theirs:
            return None
        narrower = narrower or not ours > theirs
        wider = wider or not ours < theirs
    if narrower and wider:
        return "crossing"
    return "narrower" if narrower else "wider" if wider else None


def _accepted(part: str, kinds: Kinds, known: dict[str, AcceptedTexts]) -> AcceptedTexts:
    """Return the samples that a part with a parameter accepts; none where that is not clear."""
    if part not in known:
        known[part] = _read_accepted(part[1:-1], kinds)
    return known[part]


def _read_accepted(kind: str, kinds: Kinds) -> AcceptedTexts:
    base = kind.partition("=")[0]
    if kind == "path":
        return frozenset()
    if base in kinds:
        return frozenset(text for text in _SAMPLES if _is_taken(kinds[base][0], text))
    try:
        pattern = re.compile(kind)
    except re.error:
        return frozenset()
    return frozenset(text for text in _SAMPLES if pattern.fullmatch(text))


def _is_taken(cast: Callable[[str], object], text: str) -> bool:
    try:
        cast(text)
    except ValueError:
        return False
    return True


def check_path(path: str, kinds: Kinds, where: str, problems: list[str]) -> bool:
    """Refuse a path whose parameters cannot be read; tell whether it is good."""
    parts = read_parts(path)
    names = [name for name, _ in parts if name]
    before = len(problems)
    problems.extend(
        Problem(
            where, f"the path {path} has <{name}> twice", advice="Give one of them another name."
        )
        for name in dict.fromkeys(name for name in names if names.count(name) > 1)
    )
    for name, kind in parts:
        if not name:
            continue
        if not name.isidentifier() or name.startswith("__"):
            found = f"the path {path} has the parameter {name!r}"
            expected = "a Python name that does not begin with two underscores"
            problems.append(Problem(where, found, expected, "Rename it."))
        elif kind.isalpha() and kind not in kinds:
            found = f"<{name}:{kind}> names no kind of parameter"
            expected = f"one of {', '.join(sorted(kinds))}, or a regular expression"
            problems.append(Problem(where, found, expected, "Correct the kind."))
    return len(problems) == before
