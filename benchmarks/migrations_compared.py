"""What autogeneration of migrations sees: ours, alembic's and Django's, on the same changes.

`python -m benchmarks.migrations_compared` prints a table in Markdown. The peers come from PyPI
into a virtual environment of their own; PostgreSQL is the embedded one, as alembic compares models
with a database. alembic compares types, server defaults and schemas (its defaults are the first of
these); Django's questions (was it renamed?) are answered with yes, and its operations are tried on
a schema editor that collects their SQL. `PEERS_PYTHON` names a Python that has them already.
"""

from __future__ import annotations

import enum
import json
import subprocess
import sys
import tempfile
import textwrap
import uuid
from pathlib import Path

import peewee
from playhouse import postgres_ext

from benchmarks.migration_changes import CHANGES, ComparedChange
from benchmarks.migration_operations import EXTENSION, OPERATIONS, OURS_ALONE
from benchmarks.peer_python import install_peers
from msframework import models as ours
from msframework.db.embedded import EmbeddedServer
from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.declared import describe, table_name
from msframework.migrations.difference import find_operations
from msframework.migrations.fills import model_fills
from msframework.migrations.operations.base import MigrationOperation, PhaseContext
from msframework.migrations.renames import GivenAnswers

PEERS = ("alembic==1.20.1", "sqlalchemy==2.1.9", "django==5.2.19", "psycopg[binary]==3.3.9")
_NOTHING = "–"
_UNDECLARED = "cannot be declared"
# What a person answers, as Django's questions are answered with yes.
_RENAMES = {
    "a table is renamed": ("owner:keeper",),
    "a table moves to another schema": ("note:other.note",),
    "a column is renamed": ("note.f:g",),
}


def main() -> None:
    """Print the table, and how many of the changes each sees."""
    with tempfile.TemporaryDirectory() as folder:
        python = install_peers(Path(folder), PEERS)
        server = EmbeddedServer(Path(folder))
        url = server.start()
        try:
            rows = [_see(change) for change in CHANGES]
            columns = [rows, *(_ask(python, peer, url) for peer in ("alchemy", "django"))]
            operations = _run(python, "django", url, "operations")
        finally:
            server.reset()
    print("| change of the models | ours | alembic | Django |\n|---|---|---|---|")
    for change, *cells in zip(CHANGES, *columns, strict=True):
        print(f"| {change.name} | {' | '.join(cells)} |")
    seen = [sum(each not in (_NOTHING, _UNDECLARED) for each in column) for column in columns]
    undeclared = [column.count(_UNDECLARED) for column in columns]
    cells = [
        f"{n} of {len(CHANGES)}{f', {m} cannot be declared' if m else ''}"
        for n, m in zip(seen, undeclared, strict=True)
    ]
    print(f"| **seen** | {' | '.join(cells)} |")
    print("\n| Django's operation | ours |\n|---|---|")
    for name in operations:
        extension = name.endswith("Extension")
        print(f"| {name} | {OPERATIONS.get(name, EXTENSION if extension else _NOTHING)} |")
    print("\n| ours alone | Django |\n|---|---|")
    for name, theirs in OURS_ALONE.items():
        print(f"| {name} | {theirs} |")


def _ask(python: str, peer: str, url: str) -> list[str]:
    """Run the script of *peer*, which reads pairs of texts and prints what it sees."""
    pairs = [getattr(change, peer) for change in CHANGES]
    texts = [pair and [_whole(peer, text) for text in pair] for pair in pairs]
    return [_cell(each) for each in _run(python, peer, url, texts=texts)]


def _run(python: str, peer: str, url: str, *arguments: str, texts: object = None) -> list:
    script = Path(__file__).with_name("peers") / f"migrations_of_{peer}.py"
    done = subprocess.run(
        [python, str(script), url, *arguments],
        input=json.dumps(texts),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def _see(change: ComparedChange) -> str:
    """Return the operations that this framework finds."""
    if change.peewee is None:
        return _UNDECLARED
    models = [_models(_whole("peewee", text)) for text in change.peewee]
    old, new = (describe(each) for each in models)
    defaults = model_fills(models[1], table_name)
    answers = GivenAnswers(renames=_RENAMES.get(change.name, ()), defaults=defaults)
    try:
        found = find_operations(old, new, answers)
    except ImproperlyConfigured as exc:
        return f"asks: {str(exc).splitlines()[0][:70]}"
    if old != new and not found:
        return "state only"
    return _cell([_name(each) for each in found])


def _name(operation: MigrationOperation) -> str:
    """Return the name of *operation*, with a note where nothing is done in the database."""
    name = type(operation).__name__
    return name if operation.phases(PhaseContext()) else f"{name} (no SQL)"


def _models(text: str) -> list[type[peewee.Model]]:
    names = {**vars(peewee), **vars(postgres_ext), **vars(ours), "SQL": peewee.SQL}
    names |= {
        "Model": peewee.Model,
        "enum": enum,
        "peewee": peewee,
        "uuid4": uuid.uuid4,
        "__name__": __name__,
    }
    names |= {"Index": _index}
    before = set(names)
    exec(text, names)
    return [names[name] for name in names if name not in before and name != "__builtins__"]


def _index(name: str, parts: list[object]) -> object:
    text = ", ".join(part.sql for part in parts)
    return peewee.SQL(f"CREATE INDEX {name} ON note ({text})")


def _whole(peer: str, text: str) -> str:
    """Return *text* as classes, which it may be the body of."""
    if text.startswith("class ") and not text.startswith("class Meta"):
        return text
    body = textwrap.indent(text, "    ") + "\n"
    if peer == "peewee":
        return f"class Note(Model):\n    title = TextField()\n{body}"
    if peer == "alchemy":
        key = (
            ""
            if "\nid = " in f"\n{text}"
            else "    id = mapped_column(Integer, primary_key=True)\n"
        )
        head = "    __tablename__ = 'note'\n    title = mapped_column(Text, nullable=False)\n"
        return f"class Note(Base):\n{head}{key}{body.replace('    id = None', '    pass')}"
    if "class Meta:" not in body:
        body += "    class Meta:\n        pass\n"
    meta = "        app_label = 'shop'\n        db_table = 'note'\n        apps = APPS\n"
    return f"class Note(models.Model):\n    title = models.TextField()\n{body}{meta}"


def _cell(found: list[str] | str | None) -> str:
    if found is None:
        return _UNDECLARED
    if isinstance(found, str):
        return found
    counted = [f"{n} ×{found.count(n)}" if found.count(n) > 1 else n for n in dict.fromkeys(found)]
    return ", ".join(counted) or _NOTHING


if __name__ == "__main__":
    sys.exit(main())
