from dataclasses import replace

import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.draft import draft_changes
from msframework.migrations.draft_file import write_drafts
from msframework.migrations.files import read_state, read_steps
from msframework.migrations.merge import draft_merges, merge_states
from msframework.migrations.schema import (
    Column,
    Constraint,
    EnumType,
    ForeignKey,
    Index,
    SchemaState,
    Table,
)

ID, NAME, AGE = Column("id", "integer"), Column("name", "text"), Column("age", "integer")
USERS = Table(
    "users",
    (ID, NAME),
    constraints=(Constraint("users_pkey", "PRIMARY KEY (id)"),),
    indexes=(Index("users_name", ("name",)),),
)
NAMES = ("users.0002_a", "users.0002_b")


def merge(base, one, other):
    return merge_states(
        *(SchemaState(each) for each in (base, one, other)),
        NAMES,
    )


def test_what_each_branch_changed_stands_in_the_joined_state():
    posts = Table("posts", (ID,))
    wide = Column("name", "varchar(9)")
    one = replace(USERS, columns=(ID, NAME, AGE), comment="who")
    other = replace(USERS, columns=(ID, wide), indexes=())

    merged = merge((USERS,), (one,), (other, posts))

    assert merged.tables == (
        replace(USERS, columns=(ID, wide, AGE), indexes=(), comment="who"),
        posts,
    )


def test_what_one_branch_dropped_stays_dropped():
    posts = Table("posts", (ID,))

    assert merge((USERS, posts), (USERS,), (USERS, posts)).tables == (USERS,)


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        (
            replace(USERS, columns=(ID, Column("name", "varchar(9)"))),
            replace(USERS, columns=(ID, Column("name", "varchar(8)"))),
            "column name of users",
        ),
        (
            replace(USERS, columns=(ID,), indexes=()),
            replace(USERS, constraints=(*USERS.constraints, Constraint("c", "CHECK (name <> '')"))),
            "column name of users",
        ),
        (
            replace(USERS, indexes=(Index("users_name", ("name", "id")),)),
            replace(USERS, indexes=(Index("users_name", ("id", "name")),)),
            "index users_name of users",
        ),
        (replace(USERS, comment="a"), replace(USERS, comment="b"), "the comment of users"),
        (replace(USERS, columns=(ID, NAME, AGE)),) * 2 + ("column age of users",),
        (replace(USERS, indexes=()),) * 2 + ("index users_name of users",),
        (replace(USERS, comment="a"),) * 2 + ("the comment of users",),
        (replace(USERS, comment="a"), None, "table users"),
        (None, replace(USERS, comment="a"), "table users"),
    ],
)
def test_what_both_changed_is_refused_by_its_name(one, other, what):
    with pytest.raises(ImproperlyConfigured) as caught:
        merge((USERS,), *((each,) if each else () for each in (one, other)))

    (text,) = caught.value.problems
    assert text.startswith(f"users.0002_a and users.0002_b both change {what}. Delete one")


def test_a_foreign_key_to_a_table_that_the_other_branch_dropped_is_refused():
    key = ForeignKey("k", ("id",), "users", ("id",))
    posts = Table("posts", (ID,), constraints=(key,))

    with pytest.raises(ImproperlyConfigured, match="both change table users"):
        merge((USERS,), (), (USERS, posts))


def test_types_are_joined_as_tables_are():
    moods = [SchemaState(enums=(EnumType("mood", v),)) for v in (("a",), ("a", "b"), ("a", "c"))]

    assert merge_states(moods[0], moods[1], moods[0], NAMES) == moods[1]
    with pytest.raises(ImproperlyConfigured, match="both change type mood"):
        merge_states(*moods, NAMES)


def test_states_that_only_one_branch_carries_cannot_be_joined():
    assert merge_states(None, None, None, NAMES) is None
    with pytest.raises(ImproperlyConfigured, match=r"users\.0002_b has no state"):
        merge_states(None, SchemaState(), None, NAMES)


MODELS = """
    from peewee import CharField, Model

    class City(Model):
        name = CharField()
"""


class Apps:
    apps = ("land.cities",)


def test_two_branches_are_joined_by_a_file(project):
    def written(*fields):
        lines = "".join(f"        {each} = CharField(null=True)\n" for each in fields)
        project.write("land/cities/models.py", MODELS + lines)
        drafts = draft_changes(Offline(), None, None)
        write_drafts(drafts)
        return drafts[0].path

    class Offline(Apps):
        def rehearsed(self):
            raise AssertionError("not needed")

    written()
    one = written("size")
    kept = one.read_text()
    one.unlink()
    other = written("mayor")
    one.write_text(kept)
    project.write("land/cities/models.py", MODELS + "        size = CharField(null=True)\n")

    with pytest.raises(ImproperlyConfigured, match=r"cities has 2 last migrations"):
        read_steps(Apps.apps)
    (joined,) = draft_merges(Apps.apps, None, None)
    joined.write()

    assert joined.path.name == "0003_merge.py"
    assert joined.summary == ("join 0002_add_mayor, 0002_add_size",)
    columns = read_state(read_steps(Apps.apps), "cities").tables[0].columns
    assert [each.name for each in columns] == ["id", "name", "mayor", "size"]
    assert draft_merges(Apps.apps, "cities", None) == []
    assert other.exists()


def test_a_broken_file_is_named(project):
    project.write("land/cities/migrations/0001_a.py", "operations = (\n")

    with pytest.raises(ImproperlyConfigured, match="SyntaxError"):
        draft_merges(Apps.apps, None, None)
