"""Constants of SQL in answers: a forgotten pair of quotes is found, and nothing else is."""

import pytest

from msframework.migrations.constants import missing_quotes
from msframework.migrations.operations import AddColumn, AlterColumn, CreateIndex
from msframework.migrations.schema import Column, Index, SchemaState, Table

SEX = Column("sex", "text")


def problems(operation):
    old = SchemaState((Table("users", (Column("name", "text"), Column("Old", "text"))),))
    new = SchemaState((Table("users", (Column("name", "text"), SEX)),))
    return list(missing_quotes([operation], old, new))


def test_a_word_that_is_no_column_lacks_its_quotes():
    found = ["users.sex: the value female is no column of users. A text stands in quotes of its "]
    found[0] += "own: --fill \"users.sex='female'\"."

    assert problems(AddColumn("users", SEX, fill="female")) == found
    nullable = Column("sex", "text", null=True)
    assert problems(AlterColumn("users", nullable, SEX, fill="female")) == found


@pytest.mark.parametrize(
    "value", ["'x'", "name", "old", "NULL", "true", "18", "now()", "lower(name)"]
)
def test_a_value_is_let_be(value):
    assert problems(AddColumn("users", SEX, fill=value)) == []


def test_what_cannot_be_known_is_let_be():
    assert problems(AddColumn("moved", SEX, fill="female")) == []
    assert problems(AddColumn("users", SEX, fill=str.upper)) == []
    assert problems(CreateIndex("users", Index("users_sex", ("sex",)))) == []
