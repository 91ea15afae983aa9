import datetime
import subprocess
import sys
import uuid

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    Column,
    CommentTable,
    Constraint,
    CreateEnum,
    CreateTable,
    DropColumn,
    EnumType,
    ForeignKey,
    Index,
    RenameColumn,
    Run,
    SchemaState,
    Table,
)
from msframework.migrations.source import MigrationText, render, write
from msframework.models import utcnow

NAMES = st.text("abcdefghij_", min_size=1, max_size=12)
SQL = st.one_of(
    st.text(min_size=1, max_size=150).filter(str.strip),
    st.lists(st.sampled_from(["age > 0", "AND", "'it''s'", '"Name"', "\\", "(a, b)"]), min_size=1)
    .map(" ".join),
)  # fmt: skip
MAYBE = st.none() | SQL
COLUMNS = st.builds(
    Column,
    NAMES,
    st.sampled_from(["integer", "varchar(128)", "timestamptz[]"]),
    null=st.booleans(),
    default=MAYBE,
    collation=st.none() | st.just('"C"'),
    comment=MAYBE,
    client_default=MAYBE,
)
INDEXES = st.builds(
    Index,
    NAMES,
    st.lists(NAMES, min_size=1, max_size=3).map(tuple),
    unique=st.booleans(),
    where=MAYBE,
    include=st.lists(NAMES, max_size=2).map(tuple),
)
KEYS = st.builds(
    ForeignKey,
    NAMES,
    st.tuples(NAMES),
    NAMES,
    st.tuples(NAMES),
    on_delete=st.none() | st.just("CASCADE"),
    deferrable=st.none() | st.just("deferred"),
)
CONSTRAINTS = st.builds(Constraint, NAMES, SQL.map("CHECK ({})".format)) | KEYS


def some(values, least=0):
    return st.lists(values, min_size=least, max_size=2).map(tuple)


TABLES = st.builds(
    Table,
    NAMES,
    some(COLUMNS, 1),
    constraints=some(CONSTRAINTS),
    indexes=some(INDEXES),
    comment=MAYBE,
)
ENUMS = st.builds(EnumType, NAMES, st.lists(SQL, min_size=1, max_size=3, unique=True).map(tuple))
STATES = st.builds(SchemaState, some(TABLES), enums=some(ENUMS))
OPERATIONS = st.one_of(
    st.builds(CreateTable, TABLES),
    st.builds(AddColumn, NAMES, st.builds(Column, NAMES, st.just("uuid")), st.just(uuid.uuid4)),
    st.builds(AddConstraint, NAMES, KEYS),
    st.builds(RenameColumn, NAMES, NAMES, NAMES),
    st.builds(CommentTable, NAMES, MAYBE, MAYBE),
    st.builds(Run, SQL, MAYBE),
)


def read(text):
    scope = {}
    exec(text, scope)
    return scope


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("Add notes", "Add notes"),
        ('"Name" and  "age"', r'\"Name" and "age\"'),
        ('"', r"\""),
        ('""', r"\"\""),
        ('Say """', r"Say \"\"\""),
        ('""""x', r"\"\"\"\"x"),
        ('a \\ "b" \\', r'a \\ "b" \\'),
    ],
)
def test_a_title_is_read_back_whatever_its_quotes_as_ruff_lays_it_out(tmp_path, title, written):
    text = render(title, (), True, (), SchemaState())
    (tmp_path / "made.py").write_text(text)
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", "made.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert text.partition("\n")[0] == f'"""{written}"""'
    assert read(text)["__doc__"] == " ".join(title.split())
    assert done.stdout == ""


@pytest.mark.acceptance  # of generated values, which differ with the modules that are imported
def test_what_is_read_back_equals_what_was_written_as_ruff_lays_it_out(tmp_path):
    number = iter(range(1000))

    @given(some(OPERATIONS), STATES, st.lists(NAMES, max_size=9), st.booleans(), SQL)
    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def generate(written, state, depends, atomic, title):
        text = render(title, depends, atomic, written, state)
        (tmp_path / f"m{next(number)}.py").write_text(text, encoding="utf-8")
        scope = read(text)

        assert scope["operations"] == tuple(written)
        assert scope["state"] == (*state.enums, *state.tables)
        assert scope.get("depends", ()) == tuple(depends)
        assert scope.get("atomic", True) is atomic
        assert render(title, depends, atomic, written, state) == text

    generate()
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=100", "--diff", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_a_file_reads_as_a_person_would_write_it():
    sex = Column("sex", "varchar(32)", client_default="''")
    users = Table(
        "users",
        (Column("id", "integer", serial=True), sex),
        constraints=(Constraint("users_pkey", "PRIMARY KEY (id)"),),
    )

    text = render(
        "Add sex to users.",
        ("users.0001_initial",),
        False,
        (AddColumn("users", sex, fill="''"),),
        SchemaState((users,)),
    )

    assert text == (
        '"""Add sex to users."""\n'
        "\n"
        "from msframework.migrations import AddColumn, Column, Constraint, Table\n"
        "\n"
        'depends = ("users.0001_initial",)\n'
        "atomic = False\n"
        "\n"
        'operations = (AddColumn("users", Column("sex", "varchar(32)", client_default="\'\'"), '
        "fill=\"''\"),)\n"
        "\n"
        "state = (\n"
        "    Table(\n"
        '        "users",\n'
        "        (\n"
        '            Column("id", "integer", serial=True),\n'
        '            Column("sex", "varchar(32)", client_default="\'\'"),\n'
        "        ),\n"
        '        constraints=(Constraint("users_pkey", "PRIMARY KEY (id)"),),\n'
        "    ),\n"
        ")\n"
    )


def uuid4():
    """A function with the name of another one."""


def test_functions_are_imported_by_their_names():
    key, time = Column("key", "uuid"), Column("time", "timestamptz")
    written = (
        AddColumn("users", key, fill=uuid.uuid4),
        AddColumn("users", time, fill=utcnow),
        AddColumn("users", time, fill=datetime.datetime.now),
        DropColumn("users", key, restore=uuid4),
        AddColumn("users", key, fill=dict),
    )

    text = render("Fill.", (), True, written, None)

    head = text[: text.index("operations")].splitlines()
    assert head == [
        '"""Fill."""',
        "",
        "from datetime import datetime",
        "from uuid import uuid4",
        "",
        "from msframework.migrations import AddColumn, Column, DropColumn",
        "from msframework.models.base import utcnow",
        f"from {__name__} import uuid4 as uuid4_2",
        "",
    ]
    assert "fill=datetime.now)" in text
    assert "restore=uuid4_2)" in text
    assert read(text)["operations"] == written


def test_a_function_without_a_name_is_refused():
    column = Column("key", "uuid")

    with pytest.raises(ImproperlyConfigured, match="has no name in a module"):
        render("Fill.", (), True, (AddColumn("users", column, fill=lambda: 1),), None)


def test_parts_of_other_files_stand_before_the_operations():
    def fill(db):
        """What another file defines."""

    text = write(
        MigrationText(
            "Squash.",
            operations=(Run(fill), CreateEnum(EnumType("mood", ("glad",)))),
            marks=(("replaces", ("users.0001_initial", "users.0002_fill")),),
            imports=("import json",),
            body='def fill(db):\n    """What another file defines."""\n    return json.dumps(1)\n',
            local=((fill, "fill"),),
        )
    )
    scope = read(text)

    assert scope["operations"][0].forward(None) == "1"
    assert scope["replaces"] == ("users.0001_initial", "users.0002_fill")
    assert "state" not in scope


def test_an_altered_column_stands_with_both_of_its_forms():
    old, new = Column("age", "integer"), Column("age", "bigint", comment="in years")
    written = (AlterColumn("users", old, new, using="age::bigint", fill="0"),)

    assert read(render("Widen.", (), True, written, None))["operations"] == written
