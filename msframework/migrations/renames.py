"""Questions about a change of models: renames, values of existing rows, conversions, losses.

`makemigrations` never guesses: on a terminal it asks (`AskedAnswers`), elsewhere each question has
an option that answers it, and an error names these options, all at once (`GivenAnswers`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import click

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.constants import example_of, option_of
from msframework.migrations.conversions import Conversion
from msframework.migrations.schema import Column

Fill = str | Callable[[], object] | None
NamedKind = Literal["table", "column", "type", "value"]
_WHOLE = ("table", "type")  # kinds that are named without a table or type before them


class Answers(Protocol):
    """The questions of `find_operations`, and their answers."""

    def is_rename(self, kind: NamedKind, table: str, old: str, new: str, likely: bool) -> bool:
        """Say whether *new* is *old* under another name.

        Args:
            table: the table of a column, the type of a value; of a table or type, its old name.
            likely: both look alike, so that neither answer can be taken for granted.
        """

    def fill(self, table: str, column: Column, added: bool) -> Fill:
        """Return the value of existing rows; `None` leaves them NULL.

        Args:
            added: the column is new; else it is one that may not be null any more.
        """

    def using(self, table: str, old: Column, new: Column, change: Conversion) -> str | None:
        """Return the expression that converts a column's values; `None` for PostgreSQL's own."""

    def accept_loss(self, table: str, column: str, loss: str) -> None:
        """Return if the loss of a column's values, or of a type's value, is accepted.

        Raises:
            ImproperlyConfigured: it is not.
        """

    def end_renames(self) -> None:
        """Take note that no further rename is asked for.

        Raises:
            ImproperlyConfigured: one was given that nothing asked for.
        """

    def note_drop(self, table: str, column: str | None) -> None:
        """Take note that a table, or a column, is dropped with its values."""


@dataclass
class GivenAnswers:
    """Answers from the options of a command line; `finish` reports the questions without one.

    Args:
        renames: `--rename`, as `users.nick:handle` or `users:members`.
        drops: `--drop`, as `users.nick` or `users`.
        fills: `--fill`, as `users.age=18`, the value as SQL.
        usings: `--using`, as `users.age=age::integer`.
        defaults: what the models' own defaults are for existing rows, by table and column.

    Raises:
        ImproperlyConfigured: an option cannot be read.
    """

    renames: Collection[str] = ()
    drops: Collection[str] = ()
    fills: Collection[str] = ()
    usings: Collection[str] = ()
    defaults: Mapping[tuple[str, str], Fill] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._unused: dict[tuple[str, str], None] = {}
        self._open: dict[str, None] = {}
        self._renames = self._read("--rename", self.renames, ":", "users.nick:handle")
        self._fills = self._read("--fill", self.fills, "=", "users.age=18")
        self._usings = self._read("--using", self.usings, "=", "users.age=age::integer")
        self._drops = dict.fromkeys(self.drops, "")
        self._unused |= {("--drop", each): None for each in self.drops}

    def is_rename(self, kind: NamedKind, table: str, old: str, new: str, likely: bool) -> bool:
        """Say whether `--rename` says so."""
        for name in _names(kind, table, old):
            given = self._renames.get(name)
            if given is None or not _means(kind, given, new):
                continue
            self._use("--rename", f"{name}:{given}")
            return True
        if not likely or self._is_decided(kind, table, old, new):
            return False
        return self.decide_rename(kind, table, old, new)

    def decide_rename(self, kind: NamedKind, table: str, old: str, new: str) -> bool:
        """Keep the question for `finish`, and go on as with a rename: it asks for nothing else."""
        name = old if kind in _WHOLE else f"{table}.{old}"
        self._leave_open(
            f"{name} is gone and {new} is new: was it renamed? Give --rename {name}:{new}; or, if "
            f"it is another {kind}, --drop {name} to drop the old one with its data."
        )
        return True

    def fill(self, table: str, column: Column, added: bool) -> Fill:
        """Return the value of `--fill`, or the model's default."""
        name = f"{table}.{column.name}"
        given = self._fills.get(name)
        if given is not None:
            self._use("--fill", f"{name}={given}")
            if given or not added or column.null:
                return given or None
            return self.decide_fill(table, column, added)  # an empty text, which the shell made
        default = self.defaults.get((table, column.name))
        if default is None and not column.null:
            return self.decide_fill(table, column, added)
        return default

    def decide_fill(self, table: str, column: Column, added: bool) -> Fill:
        """Keep the question for `finish`."""
        name = f"{table}.{column.name}"
        rows = "existing rows" if added else "rows with NULL"
        first = "Give the field a default"
        if column.client_default is not None:
            first = (
                f"A migration cannot call its default ({column.client_default}), which has no name "
                "in a module, or whose values the field converts. Give another"
            )
        self._leave_open(
            f"{name} is NOT NULL, and there is no value for {rows}. {first}, or give a value as "
            f"SQL: {option_of('--fill', name, example_of(column.type))}"
            + ("." if added else f", or --fill {name}= if there are no such rows.")
        )
        return None

    def using(self, table: str, old: Column, new: Column, change: Conversion) -> str | None:
        """Return the expression of `--using`; `None` where values are kept without one."""
        name = f"{table}.{new.name}"
        if name in self._usings:
            self._use("--using", f"{name}={self._usings[name]}")
            return self._usings[name]
        if change.effect in ("kept", "checked"):
            return None
        return self.decide_using(table, old, new, change)

    def decide_using(self, table: str, old: Column, new: Column, change: Conversion) -> str | None:
        """Keep the question for `finish`."""
        name = f"{table}.{new.name}"
        why = (
            "loses a part of its values" if change.effect == "lossy" else "has no known conversion"
        )
        self._leave_open(
            f"{name}: the change from {old.type} to {new.type} {why}. Give the conversion, as SQL: "
            f"{option_of('--using', name, _known_using(new, change) or '…')}"
        )
        return None

    def note_drop(self, table: str, column: str | None) -> None:
        """Take note that a `--drop` of it is right."""
        self._use("--drop", table if column is None else f"{table}.{column}")

    def accept_loss(self, table: str, column: str, loss: str) -> None:
        """Return if `--drop` names it, or ask."""
        name = f"{table}.{column}"
        if name in self._drops:
            self._use("--drop", name)
            return
        self.decide_loss(name, loss)

    def decide_loss(self, name: str, loss: str) -> None:
        """Keep the question for `finish`."""
        self._leave_open(f"{name}: {loss}. If that is meant, give --drop {name}.")

    def finish(self) -> None:
        """Say which questions no option answered, or which options answered no question.

        Raises:
            ImproperlyConfigured: there is one.
        """
        unused = [] if self._open else list(self._unused)
        if self._open or unused:
            raise ImproperlyConfigured.of([*self._open, *map(_say_unused, unused)])

    def end_renames(self) -> None:
        """Refuse a `--rename` that nothing asked for: what is asked next may come of it alone."""
        unused = [each for each in self._unused if each[0] == "--rename"]
        if unused:
            raise ImproperlyConfigured.of([*map(_say_unused, unused), *self._open])

    def _is_decided(self, kind: NamedKind, table: str, old: str, new: str) -> bool:
        """Say whether the old one is dropped, or one of the two renamed otherwise."""
        names = _names(kind, table, old)
        if any(name in self._drops for name in names):
            self._use("--drop", next(name for name in names if name in self._drops))
            return True
        return any(name in self._renames for name in names) or any(
            _means(kind, given, new)
            for name, given in self._renames.items()
            if kind in _WHOLE or name.rpartition(".")[0] in (table, "")
        )

    def _read(
        self, option: str, texts: Collection[str], separator: str, example: str
    ) -> dict[str, str]:
        found = {}
        for text in texts:
            name, sign, value = text.partition(separator)
            if not sign or not name or (separator == ":" and not value):
                raise ImproperlyConfigured(f"{option} {text!r} cannot be read: write {example!r}.")
            found[name] = value
            self._unused[option, text] = None
        return found

    def _leave_open(self, question: str) -> None:
        self._open[question] = None

    def _use(self, option: str, text: str) -> None:
        self._unused.pop((option, text), None)


class AskedAnswers(GivenAnswers):
    """Answers from a terminal, where no option gives them."""

    def decide_rename(self, kind: NamedKind, table: str, old: str, new: str) -> bool:
        """Ask whether it is a rename."""
        where = "" if kind in _WHOLE else f" of {table}"
        return click.confirm(f"Was the {kind} {old}{where} renamed to {new}?", err=True)

    def decide_fill(self, table: str, column: Column, added: bool) -> Fill:
        """Ask for a value; for a column that was there, none means that no row has NULL."""
        rows = "existing rows" if added else "rows with NULL"
        text = f"{table}.{column.name} ({column.type}) is NOT NULL. Value for {rows}, as SQL, such "
        text += f"as {example_of(column.type)}"
        if added:
            return str(click.prompt(text, err=True))
        text += " (empty if there are none)"
        return str(click.prompt(text, default="", show_default=False, err=True)) or None

    def decide_using(self, table: str, old: Column, new: Column, change: Conversion) -> str | None:
        """Ask for the expression."""
        name = f"{table}.{new.name}"
        why = (
            "loses a part of its values" if change.effect == "lossy" else "has no known conversion"
        )
        text = f"{name}: the change from {old.type} to {new.type} {why}. Conversion, as SQL"
        return str(click.prompt(text, default=_known_using(new, change), err=True))

    def decide_loss(self, name: str, loss: str) -> None:
        """Ask whether it is meant.

        Raises:
            click.Abort: it is not.
        """
        click.confirm(f"{name}: {loss}. Go on?", abort=True, err=True)


def _say_unused(given: tuple[str, str]) -> str:
    option, text = given
    return (
        f"{option} {text}: no change of the models asks for this. Check the names; a table and its "
        "columns are named as in the database."
    )


def _names(kind: NamedKind, table: str, old: str) -> tuple[str, ...]:
    """Return how options may name the old one; a foreign key also by its field, without `_id`."""
    if kind in _WHOLE:
        return (old,)
    if kind == "value":
        return (f"{table}.{old}",)
    short = old.removesuffix("_id")
    return tuple(dict.fromkeys((f"{table}.{old}", f"{table}.{short}", old, short)))


def _means(kind: NamedKind, given: str, new: str) -> bool:
    if given == new:
        return True
    if kind != "column":
        return False
    return given.rpartition(".")[2] in (new, new.removesuffix("_id"))


def _known_using(new: Column, change: Conversion) -> str | None:
    """Return the expression that PostgreSQL can run; `None` if none is known."""
    if change.using is not None:
        return change.using.format(column=new.name)
    return f"{new.name}::{new.type}" if change.effect == "lossy" else None


class SilentAnswers(GivenAnswers):
    """Answers for `--check` and the like: nothing is a rename, nothing is refused."""

    def decide_rename(self, kind: NamedKind, table: str, old: str, new: str) -> bool:
        """Return that it is no rename."""
        return False

    def decide_fill(self, table: str, column: Column, added: bool) -> Fill:
        """Leave it open."""
        return None

    def decide_using(self, table: str, old: Column, new: Column, change: Conversion) -> str | None:
        """Leave it open."""
        return change.using and change.using.format(column=new.name)

    def decide_loss(self, name: str, loss: str) -> None:
        """Let it be."""
