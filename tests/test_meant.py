"""The advice what to write in the place of a habit from another framework."""

import importlib
from itertools import count

import pytest

from msframework._meant import HOMES, find_habit, find_meant
from msframework.db.binding import RequestDatabase
from msframework.models import CharField, Model
from msframework.serving.request import Request

NUMBERS = count()


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that imports a module of this text, and returns how that failed."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(text):
        name = f"meant_{next(NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever comes
            importlib.import_module(name)
        return caught.value

    return write


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("from msframework import JWTBearer", "Write: from msframework.access import JWTBearer."),
        ("from msframework import Model", "Write: from msframework.models import Model."),
        ("from msframework import fields", "Write: from msframework.schemas import fields."),
        (
            "from msframework import ValidationError",
            "Write: from marshmallow import ValidationError.",
        ),
        (
            "from msframework.schemas import Length",
            "Write: from marshmallow.validate import Length.",
        ),
        (
            "from msframework.models import ArrayField",
            "Write: from playhouse.postgres_ext import ArrayField.",
        ),
        ("from msframework.models import JOIN", "Write: from peewee import JOIN."),
        ("from msframework import NotFond", "Did you mean NotFound?"),
        ("from msframework import Nothing_like_it", ""),
        ("import no_such_module", ""),
        ("1 / 0", ""),
        (
            "from msframework import Blueprint; Blueprint('b').collection()",
            'Write @blueprint.collection("/", item="/<id:int>").',
        ),
        (
            "from msframework import Blueprint; Blueprint('b').collection('/', '/<id:int>')",
            'Write @blueprint.collection("/", item="/<id:int>").',
        ),
        (
            "from msframework import Blueprint; Blueprint('b').resource()",
            'Write @blueprint.resource("/path").',
        ),
        (
            "from msframework import Pages; Pages(page_size=5)",
            "Was per_page meant? It takes per_page,",
        ),
        (
            "from msframework import Blueprint; Blueprint('b', tags=())",
            "It takes name, url_prefix, host,",
        ),
        (
            "from msframework import doc; doc.produces({}, status_code=201)",
            "Was status meant? It takes schema, status, description, headers, key.",
        ),
        (
            "from msframework.schemas import fields; fields.String(read_only=True)",
            "Was dump_only meant? It takes load_default,",
        ),
        (
            "from msframework.models import CharField; CharField(blank=True)",
            "Was null meant? It takes ",
        ),
        ("int(base_of=3)", ""),
        ("from msframework import doc; doc.response", "Was @doc.produces meant?"),
        ("from msframework import doc; doc.sumary", "Was @doc.summary meant?"),
        ("from msframework import doc; doc.nothing_like_it", ""),
        ("import math; math.sumary", ""),
    ],
)
def test_what_was_meant_is_told(write, line, advice):
    found = find_meant(write(line))

    assert found.startswith(advice)
    assert bool(found) == bool(advice)


def test_names_of_a_module_that_is_not_there_have_homes(write):
    caught = write("from msframework.security import JWTIssuer, Scopes, nothing_like_it")

    assert find_meant(caught) == (
        "Write: from msframework.access import JWTIssuer. Write: from msframework import Scopes."
    )


def test_a_foreign_key_to_a_name_wants_the_class(write):
    text = """
from msframework.models import ForeignKeyField, Model
class Note(Model):
    author = ForeignKeyField("User")
"""

    assert find_meant(write(text)) == (
        "Pass the class of the model, or write peewee's DeferredForeignKey('User')."
    )


@pytest.mark.parametrize("home", HOMES)
def test_meant_exist(home):
    __import__(home)


def read_database():
    RequestDatabase(None, None).fetch("SELECT 1")


def create_row():
    type("Note", (Model,), {"title": CharField()}).create(title="tea")


def read_row():
    return {"title": "tea"}.title


def read_user():
    return object.__new__(Request).user


async def find_row():
    """Return a row."""


def read_unawaited():
    found = find_row()
    try:
        return found["title"]
    finally:
        found.close()


def read_member_of_unawaited():
    found = find_row()
    try:
        return found.title
    finally:
        found.close()


def count_rows():
    return len(type("Note", (Model,), {"title": CharField()}).select())


def read_objects():
    return type("Note", (Model,), {"title": CharField()}).objects


AWAIT = "A coroutine function was called, and not awaited: await it."
QUERIES = "Models only build queries, which a cursor runs: await cur.fetch(query)."


@pytest.mark.parametrize(
    ("habit", "advice"),
    [
        (read_unawaited, AWAIT),
        (read_member_of_unawaited, AWAIT),
        (count_rows, QUERIES),
        (read_objects, QUERIES),
        (
            read_database,
            "A cursor runs statements: take `cur`, `tx`, or one of db.acquire().",
        ),
        (create_row, "Models only build queries, which a cursor runs: await cur.fetch(query)."),
        (read_row, "Rows are dicts: row['title']."),
        (read_user, "Take the argument `principal`; request.principal is the same."),
        (lambda: {}.title, ""),
        (lambda: 1 / 0, ""),
    ],
)
def test_habits_are_told_what_is_written_here(habit, advice):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever comes
        habit()

    assert find_habit(caught.value) == advice
