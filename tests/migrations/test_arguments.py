"""What is wrong in a migration that was written by hand is said when it is loaded."""

from __future__ import annotations

import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    AlterEnum,
    Column,
    CommentTable,
    Constraint,
    CreateEnum,
    CreateIndex,
    CreateTable,
    DropColumn,
    DropIndex,
    EnumType,
    ForeignKey,
    Index,
    RenameColumn,
    RenameConstraint,
    RenameIndex,
    RenameTable,
    Run,
    Table,
)
from msframework.migrations.operations.program import check_operations

AGE = Column("age", "integer")
WRONG = {
    "no column": (lambda: AddColumn("users", "age"), "AddColumn to users: column is 'age'"),
    "no table": (lambda: AddColumn(Table("users", ()), AGE), "AddColumn: table is Table"),
    "an empty name": (lambda: AddColumn("shop.", AGE), "AddColumn: table is ''; expected a name"),
    "a long name": (lambda: RenameTable("a", "b" * 64), "RenameTable: new is 'bbb"),
    "a fill that is no SQL": (
        lambda: AddColumn("users", AGE, 0),
        'AddColumn age to users: fill is 0; expected SQL as text ("0", "\'\'"), or a function',
    ),
    "an empty fill": (lambda: AddColumn("users", AGE, ""), "fill is ''; expected SQL"),
    "a restore that is no SQL": (
        lambda: DropColumn("users", AGE, restore=7),
        "DropColumn age of users: restore is 7",
    ),
    "a fill of a generated column": (
        lambda: AddColumn("users", Column("a", "integer", generated="1"), "1"),
        "fill is '1'; expected none, as a is generated",
    ),
    "no type": (lambda: AddColumn("users", Column("age", "")), "column 'age': its type is ''"),
    "a default that is no SQL": (
        lambda: AddColumn("users", Column("age", "integer", default=1)),
        "column 'age': default is 1; expected SQL as text",
    ),
    "a comment that is no text": (
        lambda: AddColumn("users", Column("age", "integer", comment=1)),
        "column 'age': comment is 1",
    ),
    "two sources": (
        lambda: AddColumn("users", Column("age", "integer", default="1", serial=True)),
        "column 'age': has default and serial, and can have one of these only",
    ),
    "a serial text": (
        lambda: AddColumn("users", Column("age", "text", serial=True)),
        "its type is 'text'; expected one of smallint, integer, bigint",
    ),
    "a serial column of NULL": (
        lambda: AddColumn("users", Column("age", "integer", serial=True, null=True)),
        "null is True; expected False, as it is serial",
    ),
    "serial as a type": (
        lambda: AddColumn("users", Column("age", "BIGSERIAL")),
        "its type is 'BIGSERIAL'; expected 'bigint', with serial=True",
    ),
    "an unknown identity": (
        lambda: AddColumn("users", Column("age", "integer", identity="never")),
        "identity is 'never'; expected 'always', 'by default' or None",
    ),
    "two names": (
        lambda: AlterColumn("users", AGE, Column("years", "integer")),
        "Rename it first: RenameColumn('users', 'age', 'years').",
    ),
    "an empty using": (lambda: AlterColumn("users", AGE, AGE, using=" "), "using is ' '"),
    "a column twice": (
        lambda: CreateTable(Table("users", (AGE, AGE))),
        "CreateTable of users: the column 'age' is given twice.",
    ),
    "a list": (lambda: CreateTable(Table("users", [AGE])), "CreateTable of users: columns is ["),
    "no table made": (lambda: CreateTable("users"), "CreateTable: table is 'users'"),
    "no comment": (lambda: CommentTable("users", None, 1), "CommentTable of users: new is 1"),
    "no constraint": (
        lambda: AddConstraint("users", "CHECK (true)"),
        "AddConstraint on users: constraint is 'CHECK (true)'; expected a Constraint or a Foreign",
    ),
    "no definition": (
        lambda: AddConstraint("users", Constraint("a", "")),
        "constraint 'a': definition is ''",
    ),
    "no kind of constraint": (
        lambda: AddConstraint("users", Constraint("a", "age > 0")),
        "definition is 'age > 0'; expected such as 'CHECK (age > 0)'",
    ),
    "an unknown action": (
        lambda: AddConstraint("u", ForeignKey("f", ("a",), "c", ("id",), on_delete="NULL")),
        "on_delete is 'NULL'; expected such as 'CASCADE'",
    ),
    "too few targets": (
        lambda: AddConstraint("users", ForeignKey("f", ("a", "b"), "cities", ("id",))),
        "foreign key 'f': target_columns is ('id',); expected 2 of them",
    ),
    "an unknown deferral": (
        lambda: AddConstraint("u", ForeignKey("f", ("a",), "c", ("id",), deferrable=True)),
        "deferrable is True; expected 'immediate', 'deferred' or None",
    ),
    "an index of nothing": (
        lambda: CreateIndex("users", Index("a", ())),
        "index 'a': elements is (); expected at least 1",
    ),
    "an index of a text": (lambda: DropIndex("users", Index("a", "age")), "elements is 'age'"),
    "an index nowhere": (
        lambda: CreateIndex("users", Index("a", ("b",), where="")),
        "index 'a': where is ''",
    ),
    "no index": (lambda: RenameIndex("users", None, "b"), "RenameIndex on users: old is None"),
    "no constraint's name": (lambda: RenameConstraint("users", "a", ""), "new is ''"),
    "no column's name": (lambda: RenameColumn("users", "a\0", "b"), "old is 'a\\x00'"),
    "an enum's value twice": (
        lambda: CreateEnum(EnumType("mood", ("sad", "sad"))),
        "CreateEnum of mood: the value 'sad' is given twice.",
    ),
    "an empty value": (lambda: CreateEnum(EnumType("mood", ("",))), "a value is ''"),
    "no enum": (lambda: AlterEnum(EnumType("mood", ()), "mood"), "AlterEnum: new is 'mood'"),
    "nothing to run": (lambda: Run(None), "Run: forward is None; expected SQL as text, or a func"),
    "a transaction": (
        lambda: Run("SELECT 1; COMMIT"),
        "Run: 'COMMIT' begins or ends a transaction",
    ),
    "the end of one": (
        lambda: Run("SELECT 1", "ROLLBACK AND CHAIN"),
        "begins or ends a transaction",
    ),
    "nothing to run back": (lambda: Run("SELECT 1", 2), "Run: backward is 2"),
    "no operations": (
        lambda: check_operations("users.0002", AddColumn("users", AGE)),
        "users.0002: operations is AddColumn(",
    ),
    "no operation": (
        lambda: check_operations("users.0002", ["ALTER TABLE …"]),
        "SQL and functions go into Run(…).",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_refused_with_its_place(name):
    make, text = WRONG[name]

    with pytest.raises(ImproperlyConfigured) as found:
        make()

    assert text in str(found.value)


def test_operations_of_a_file_are_a_tuple():
    operation = Run("SELECT 1")

    assert check_operations("users.0002", [operation]) == (operation,)
