import pytest

from msframework.migrations import operations as ops
from msframework.migrations.schema import Column, Constraint, EnumType, Index, Table
from msframework.migrations.titles import docstring, file_title, slug

SEX, AGE = Column("sex", "text"), Column("age", "integer")
MOOD = EnumType("mood", ("glad",))
CHECK, INDEX = Constraint("old", "CHECK (age > 60)"), Index("users_age", ("age",))


@pytest.mark.parametrize(
    ("operations", "title"),
    [
        ([ops.AddColumn("users", SEX)], "add_sex"),
        ([ops.AddColumn("users", SEX), ops.AddColumn("posts", SEX)], "add_sex"),
        ([ops.AddColumn("users", SEX), ops.CreateIndex("users", INDEX)], "add_sex"),
        ([ops.CreateIndex("users", INDEX), ops.DropConstraint("users", CHECK)],
         "add_users_age_drop_old"),
        ([ops.CreateTable(Table("shop.notes", (AGE,)))], "create_shop_notes"),
        ([ops.DropTable(Table("notes", (AGE,)))], "drop_notes"),
        ([ops.DropColumn("users", AGE)], "drop_age"),
        ([ops.AlterColumn("users", AGE, Column("age", "bigint"))], "alter_age"),
        ([ops.RenameTable("users", "people")], "rename_users_to_people"),
        ([ops.RenameIndex("users", "a", "b")], "rename_to_b"),
        ([ops.CommentTable("users", None, "who")], "comment_users"),
        ([ops.CreateEnum(MOOD)], "create_mood"),
        ([ops.DropEnum(MOOD)], "drop_mood"),
        ([ops.AlterEnum(MOOD, MOOD)], "alter_mood"),
        ([ops.Run("SELECT 1")], "run"),
        ([ops.AddColumn("users", Column(f"column_{n}", "text")) for n in range(9)],
         "add_column_0_and_more"),
        ([], "changes"),
    ],
)  # fmt: skip
def test_a_file_is_called_after_its_operations(operations, title):
    assert file_title(operations) == title


def test_a_docstring_says_what_is_done():
    drop, add = ops.DropColumn("users", AGE), ops.AddColumn("users", SEX)

    assert docstring([drop]) == "Drop column age of users."
    assert docstring([drop, add]) == "Drop column age of users; add column sex to users."
    assert docstring([add] * 9).endswith("add column sex to users; and 7 more changes.")
    assert docstring([]) == "Update the state."


def test_a_name_of_ones_own_is_made_a_part_of_a_file_name():
    assert slug("Towns & more") == "towns_more"
    assert slug("--") == "changes"
