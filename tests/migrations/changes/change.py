"""One change of models, as a reader would make it, with the rows that live through it."""

import textwrap
from dataclasses import dataclass

HEADER = '''\
"""The tables of the {app}."""

import enum
import uuid
from datetime import date, datetime
from decimal import Decimal

from peewee import *
from playhouse import postgres_ext
from playhouse.postgres_ext import *

from msframework.models import *


'''


@dataclass(frozen=True)
class Change:
    """Models before and after, and what becomes of the rows between.

    Args:
        before: the models, by the app; a text alone is the app `shop`.
        rows: SQL that is run when the models before are migrated.
        kept: a query, and the rows that it finds when the models after are migrated.
        returned: likewise, after the way back; without it all tables hold what they held.
        again: likewise, after the second way forward; without it, what `kept` says.
        options: what `makemigrations` is told.
        refusal: a part of what it says without them; `None` where it needs none.
        by_hand: SQL that is run after `rows`, and for the comparison after each `create_tables`.
        by_hand_after: likewise, where it reads otherwise with the models after.
        back_fails: a part of the error of the way back, where there is none.
        tenant: the schema that the address names by `options=-csearch_path=…`.
        daily: run by the suite in any case, which else runs one change of three.
    """

    name: str
    before: str | dict[str, str]
    after: str | dict[str, str]
    rows: str = ""
    kept: tuple[str, list] | None = None
    returned: tuple[str, list] | None = None
    again: tuple[str, list] | None = None
    options: tuple[str, ...] = ()
    refusal: str | None = None
    by_hand: str = ""
    by_hand_after: str = ""
    back_fails: str | None = None
    tenant: str | None = None
    daily: bool = False

    @property
    def apps(self):
        """The apps that have models."""
        return tuple(dict.fromkeys([*_by_app(self.before), *_by_app(self.after)]))

    def texts(self, when):
        """Return the modules of models by their apps, `before` or `after` the change."""
        found = _by_app(getattr(self, when))
        return {app: HEADER.format(app=app) + trim(text) for app, text in found.items()}


def _by_app(models):
    return models if isinstance(models, dict) else {"shop": models}


def trim(text):
    """Take the indentation off a text of models."""
    return textwrap.dedent(text).strip("\n") + "\n"


def note(*lines, meta=()):
    """Return a model of notes with more *lines* of fields, and of Meta."""
    body = ["class Note(Model):", "    title = TextField()"]
    body += [f"    {line}" for each in lines for line in each.splitlines()]
    if meta:
        body += ["", "    class Meta:"]
        body += [f"        {line}" for each in meta for line in each.splitlines()]
    return "\n".join(body) + "\n"


def on_field(name, before, after, *, values=(), kept=None, column="field", meta=((), ()), **more):
    """Return the change of one field of the notes.

    Args:
        before: its declaration, as `IntegerField()`, or nothing.
        values: what it holds in rows with the titles a, b, c, as SQL.
        kept: what it holds afterwards, as text.
    """
    texts = []
    for declaration, said in zip((before, after), meta, strict=True):
        lines = [f"{column.removesuffix('_id')} = {declaration}"] if declaration else []
        texts.append(note(*lines, meta=said))
    titles = "abc"
    if before and values:
        rows = ", ".join(f"('{t}', {v})" for t, v in zip(titles, values, strict=False))
        rows = f"INSERT INTO note (title, {column}) VALUES {rows};"
    else:
        rows = "INSERT INTO note (title) VALUES ('a'), ('b');" if not before else ""
    more["rows"] = more.get("rows", "") + rows
    if kept is not None:
        more["kept"] = (f"SELECT {column}::text FROM note ORDER BY title", [(v,) for v in kept])
    return Change(name, *texts, **more)
