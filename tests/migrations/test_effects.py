from dataclasses import replace

import pytest

from msframework.migrations import operations as ops
from msframework.migrations.difference import find_operations
from msframework.migrations.effects import Footprint, apply_operations, reach
from msframework.migrations.renames import SilentAnswers
from msframework.migrations.schema import (
    Column,
    Constraint,
    EnumType,
    ForeignKey,
    Index,
    SchemaState,
    Table,
)

ID, NAME, MOOD = Column("id", "integer"), Column("name", "text"), Column("mood", "mood")
KEY = ForeignKey("key", ("id",), "cities", ("id",))
CHECK = Constraint("named", "CHECK (name <> '')")
UNIQUE = Constraint("one", "UNIQUE (name)")
INDEX = Index("users_name", ("lower(name)",), include=("id",))
CITIES = Table("cities", (ID,), constraints=(Constraint("cities_pkey", "PRIMARY KEY (id)"),))
USERS = Table("users", (ID, NAME), constraints=(CHECK, KEY), indexes=(INDEX,))
ENUM = EnumType("mood", ("glad", "sad"))
STATE = SchemaState((CITIES, USERS), enums=(ENUM,))


def users(**changes):
    return SchemaState((CITIES, replace(USERS, **changes)), enums=(ENUM,))


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        (ops.AddColumn("users", MOOD), users(columns=(ID, NAME, MOOD))),
        (ops.DropColumn("users", NAME), users(columns=(ID,), constraints=(KEY,), indexes=())),
        (ops.DropColumn("users", ID), users(columns=(NAME,), constraints=(CHECK,), indexes=())),
        (
            ops.AlterColumn("users", NAME, replace(NAME, null=True)),
            users(columns=(ID, replace(NAME, null=True))),
        ),
        (
            ops.RenameColumn("users", "name", "nick"),
            users(
                columns=(ID, replace(NAME, name="nick")),
                constraints=(Constraint("named", "CHECK (nick <> '')"), KEY),
                indexes=(Index("users_name", ("lower(nick)",), include=("id",)),),
            ),
        ),
        (ops.CommentTable("users", None, "who"), users(comment="who")),
        (ops.DropConstraint("users", KEY), users(constraints=(CHECK,))),
        (
            ops.RenameConstraint("users", "key", "fkey"),
            users(constraints=(CHECK, replace(KEY, name="fkey"))),
        ),
        (ops.DropIndex("users", INDEX), users(indexes=())),
        (ops.RenameIndex("users", "users_name", "i"), users(indexes=(replace(INDEX, name="i"),))),
        (ops.DropTable(USERS), SchemaState((CITIES,), enums=(ENUM,))),
        (
            ops.RenameTable("cities", "towns"),
            SchemaState(
                (
                    replace(CITIES, name="towns"),
                    replace(USERS, constraints=(CHECK, replace(KEY, target="towns"))),
                ),
                enums=(ENUM,),
            ),
        ),
        (ops.DropEnum(ENUM), replace(STATE, enums=())),
        (
            ops.AlterEnum(ENUM, EnumType("mood", ("glad", "sad", "mad"))),
            replace(STATE, enums=(EnumType("mood", ("glad", "sad", "mad")),)),
        ),
        (ops.Run("SELECT 1"), STATE),
    ],
    ids=lambda value: value.describe() if hasattr(value, "describe") else "",
)
def test_an_operation_changes_the_state_and_its_reverse_changes_it_back(operation, after):
    assert apply_operations(STATE, (operation,)) == after
    if not isinstance(operation, (ops.Run, ops.DropColumn)):
        back = apply_operations(after, (operation.reverse(),))
        assert find_operations(back, STATE, SilentAnswers()) == []


def test_the_operations_between_two_states_lead_from_one_to_the_other():
    start = SchemaState()
    found = find_operations(start, STATE, SilentAnswers())

    assert find_operations(apply_operations(start, found), STATE, SilentAnswers()) == []


@pytest.mark.parametrize(
    ("operation", "changed", "needed"),
    [
        (
            ops.CreateTable(replace(USERS, columns=(ID, MOOD))),
            {"users", "index public.users_name"},
            {"cities", "type mood"},
        ),
        (ops.AddColumn("users", replace(MOOD, type="mood[]")), {"users"}, {"type mood"}),
        (ops.AddConstraint("users", KEY), {"users"}, {"cities"}),
        (ops.AddConstraint("users", CHECK), {"users"}, set()),
        (
            ops.AddConstraint("shop.users", UNIQUE),
            {"shop.users", f"index shop.{UNIQUE.name}"},
            set(),
        ),
        (ops.DropIndex("users", INDEX), {"users", f"index public.{INDEX.name}"}, set()),
        (ops.RenameIndex("users", "a", "b"), {"users", "index public.a", "index public.b"}, set()),
        (ops.AlterColumn("users", NAME, replace(NAME, type="mood")), {"users"}, {"type mood"}),
        (ops.RenameTable("users", "people"), {"users", "people"}, set()),
        (ops.CreateEnum(ENUM), {"type mood"}, set()),
        (ops.Run("SELECT 1"), set(), set()),
    ],
    ids=lambda value: value.describe() if hasattr(value, "describe") else "",
)
def test_what_an_operation_touches(operation, changed, needed):
    assert reach(operation, ("mood",)) == Footprint(frozenset(changed), frozenset(needed))


def test_the_order_matters_where_one_changes_what_the_other_needs():
    one, other = Footprint(frozenset("a"), frozenset("b")), Footprint(frozenset("b"))

    assert one.meets(other)
    assert other.meets(one)
    assert not one.meets(Footprint(frozenset("c"), frozenset("b")))


@pytest.mark.parametrize(
    ("old", "new", "text", "after"),
    [
        ("mood", "humour", "mood = 'a'::mood", "mood = 'a'::humour"),
        ("mood", "humour", "CAST('a' AS Mood) = mood", "CAST('a' AS humour) = mood"),
        ("mood", "humour", "mood = mood 'a'", "mood = humour 'a'"),
        ("mood", "humour", "m = '{a}'::\"mood\"[]", "m = '{a}'::humour[]"),
        ("mood", "my mood", "m <> ' ::mood ' || 'a'::mood", "m <> ' ::mood ' || 'a'::\"my mood\""),
        ("shop.mood", "mood", "m = 'a'::shop . mood", "m = 'a'::mood"),
        ("shop", "mood", "m = 'a'::shop.mood", "m = 'a'::shop.mood"),
        ("mood", "humour", "m = 'a'::moods", "m = 'a'::moods"),
    ],
)
def test_a_renamed_type_has_its_new_name_in_casts(old, new, text, after):
    def at(enum, text):
        index = Index("moody", (f"({text})",), where=text)
        check = Constraint("calm", f"CHECK ({text})")
        columns = (Column("n", "boolean", default=text), Column("g", "boolean", generated=text))
        table = Table("users", columns, constraints=(check,), indexes=(index,))
        return SchemaState((table,), enums=(EnumType(enum, ("a",)),))

    change = ops.AlterEnum(EnumType(old, ("a",)), EnumType(new, ("a",)))

    assert apply_operations(at(old, text), [change]) == at(new, after)
