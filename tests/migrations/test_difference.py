"""The operations between two states of the tables, and the questions that they raise."""

import uuid
from dataclasses import replace

import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.difference import find_operations
from msframework.migrations.effects import apply_operations
from msframework.migrations.operations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    AlterEnum,
    CommentTable,
    CreateEnum,
    CreateIndex,
    CreateTable,
    DropColumn,
    DropConstraint,
    DropEnum,
    DropIndex,
    DropTable,
    RenameColumn,
    RenameConstraint,
    RenameIndex,
    RenameTable,
)
from msframework.migrations.renames import GivenAnswers
from msframework.migrations.schema import (
    Column,
    Constraint,
    EnumType,
    ForeignKey,
    Index,
    SchemaState,
    Table,
)

ID = Column("id", "integer", serial=True)
KEY = Constraint("users_pkey", "PRIMARY KEY (id)")


def table(*columns, name="users", **parts):
    parts.setdefault("constraints", ())
    key = Constraint(f"{name.rpartition('.')[2]}_pkey", "PRIMARY KEY (id)")
    parts["constraints"] = (key, *parts["constraints"])
    return Table(name, (ID, *columns), **parts)


def state(*tables, enums=()):
    return SchemaState(tables, enums=enums)


def find(old, new, **answers):
    given = GivenAnswers(**answers)
    found = find_operations(old, new, given)
    given.finish()
    return found


def refusal(old, new, **answers):
    with pytest.raises(ImproperlyConfigured) as caught:
        find(old, new, **answers)
    return str(caught.value)


NICK, HANDLE = Column("nick", "text"), Column("handle", "text")
AGE = Column("age", "integer")


def test_equal_states_have_no_operations():
    one = state(table(NICK, indexes=(Index("users_nick", ("nick",)),)))
    assert find(one, one) == []


def test_texts_that_say_the_same_are_no_difference():
    def made(check, where, default):
        return state(
            table(
                replace(AGE, default=default),
                constraints=(Constraint("users_age_check", f"CHECK ({check})"),),
                indexes=(Index("users_age", ("age",), where=where),),
            )
        )

    one = made("age > 0", "age IS NOT NULL", "now()")
    assert find(one, made("(AGE>0)", "(age  is not null)", "(NOW())")) == []


def test_new_tables_come_before_those_that_refer_to_them():
    a = table(
        Column("b_id", "integer"),
        name="a",
        constraints=(ForeignKey("a_b_id_fkey", ("b_id",), "b", ("id",)),),
    )
    b = table(name="b")
    assert find(state(), state(a, b)) == [CreateTable(b), CreateTable(a)]
    assert find(state(a, b), state()) == [DropTable(a), DropTable(b)]


def test_a_circle_of_foreign_keys_is_closed_after_its_tables():
    def one(name, other):
        key = ForeignKey(f"{name}_o_fkey", ("o",), other, ("id",))
        return table(Column("o", "integer"), name=name, constraints=(key,)), key

    (a, key), (b, _) = one("a", "b"), one("b", "a")
    bare = replace(a, constraints=a.constraints[:1])
    assert find(state(), state(a, b)) == [
        CreateTable(bare),
        CreateTable(b),
        AddConstraint("a", key),
    ]
    assert find(state(a, b), state()) == [DropConstraint("a", key), DropTable(b), DropTable(bare)]


def test_a_table_may_refer_to_itself():
    key = ForeignKey("users_boss_fkey", ("boss",), "users", ("id",))
    one = table(Column("boss", "integer"), constraints=(key,))
    assert find(state(), state(one)) == [CreateTable(one)]


def test_a_column_that_is_gone_and_a_like_one_that_is_new_are_a_question():
    old, new = state(table(NICK)), state(table(HANDLE))
    text = refusal(old, new)
    assert "--rename users.nick:handle" in text
    assert "--drop users.nick" in text
    assert find(old, new, renames=["users.nick:handle"]) == [
        RenameColumn("users", "nick", "handle")
    ]
    assert find(old, new, renames=["nick:handle"]) == [RenameColumn("users", "nick", "handle")]
    assert find(old, new, drops=["users.nick"], fills=["users.handle=''"]) == [
        AddColumn("users", HANDLE, fill="''"),
        DropColumn("users", NICK),
    ]


def test_a_rename_may_change_the_type_too():
    old, new = state(table(NICK)), state(table(Column("handle", "varchar(9)")))
    assert "--rename users.nick:handle" in refusal(old, new)
    assert find(old, new, renames=["users.nick:handle"]) == [
        RenameColumn("users", "nick", "handle"),
        AlterColumn("users", HANDLE, Column("handle", "varchar(9)")),
    ]


def test_columns_of_other_kinds_are_no_question():
    old, new = state(table(NICK)), state(table(replace(AGE, null=True)))
    assert find(old, new) == [
        AddColumn("users", new.tables[0].columns[1]),
        DropColumn("users", NICK),
    ]


def test_a_dropped_column_keeps_the_default_that_the_model_had():
    column = Column("nick", "text", client_default="'x'")
    assert find(state(table(column)), state(table())) == [DropColumn("users", column, "'x'")]


def test_a_renamed_column_is_followed_into_all_that_mentions_it():
    def made(name, index):
        other = Column("double", "integer", generated=f"{name} * 2")
        return state(
            table(
                Column(name, "integer"),
                other,
                constraints=(Constraint("users_age_check", f"CHECK ({name} > 0)"),),
                indexes=(Index(index, (f"{name} DESC",), where=f"{name} > 1", include=(name,)),),
            ),
            table(
                Column("age", "integer"),
                name="pets",
                constraints=(ForeignKey("pets_age_fkey", ("age",), "users", (name,)),),
            ),
        )

    assert find(made("age", "users_age"), made("years", "users_years"), renames=["age:years"]) == [
        RenameColumn("users", "age", "years"),
        RenameIndex("users", "users_age", "users_years"),
    ]


def test_a_renamed_table_keeps_its_rows_and_the_keys_that_point_to_it():
    def made(name):
        pets = table(
            Column("owner_id", "integer"),
            name="pets",
            constraints=(ForeignKey("pets_owner_id_fkey", ("owner_id",), name, ("id",)),),
        )
        return state(table(NICK, name=name), pets)

    text = refusal(made("users"), made("members"))
    assert "--rename users:members" in text
    assert find(made("users"), made("members"), renames=["users:members"]) == [
        RenameTable("users", "members"),
        RenameConstraint("members", "users_pkey", "members_pkey"),
    ]


def test_a_table_moves_to_another_schema():
    old, new = state(table(NICK)), state(table(NICK, name="shop.users"))
    assert find(old, new, renames=["users:shop.users"]) == [RenameTable("users", "shop.users")]


def test_a_key_steps_aside_where_another_table_has_its_name():
    old, new = state(table(NICK, name="shop.users"), table()), state(table(), table(NICK, name="u"))
    aside = "u_users_pkey_aside"
    assert find(old, new, renames=["shop.users:u"]) == [
        RenameConstraint("shop.users", "users_pkey", aside),
        RenameTable("shop.users", "u"),
        RenameConstraint("u", aside, "u_pkey"),
    ]


def test_an_index_steps_aside_where_another_table_gets_its_name():
    index = Index("by_nick", ("nick",))
    old, new = state(table(NICK, indexes=(index,))), state(table(NICK, AGE, name="a"))
    made = replace(new.tables[0], indexes=(index,))
    gone = replace(old.tables[0], indexes=(replace(index, name="users_by_nick_aside"),))
    assert find(old, state(made), drops=["users"]) == [
        RenameIndex("users", "by_nick", "users_by_nick_aside"),
        CreateTable(made),
        DropTable(gone),
    ]


def test_an_index_that_is_dropped_is_in_nobodys_way():
    index = Index("by_nick", ("nick",))
    old = state(table(NICK, indexes=(index,)), table(NICK, name="a"))
    new = state(table(NICK), table(NICK, name="a", indexes=(index,)))
    assert find(old, new) == [DropIndex("users", index), CreateIndex("a", index)]


def test_tables_that_are_not_alike_are_no_question():
    old, new = state(table(NICK, AGE)), state(table(Column("total", "bigint"), name="orders"))
    assert find(old, new) == [CreateTable(new.tables[0]), DropTable(old.tables[0])]


@pytest.mark.parametrize("value", [5, 0])
def test_an_added_column_takes_the_models_default(value):
    found = find(state(table()), state(table(AGE)), defaults={("users", "age"): str(value)})
    assert found == [AddColumn("users", AGE, fill=str(value))]


def test_an_added_column_may_take_a_value_for_each_row():
    key = Column("key", "uuid")
    found = find(state(table()), state(table(key)), defaults={("users", "key"): uuid.uuid4})
    assert found == [AddColumn("users", key, fill=uuid.uuid4)]


def test_an_added_column_without_a_value_for_old_rows_is_refused():
    assert "--fill users.age=0." in refusal(state(table()), state(table(AGE)))
    for column in (
        replace(AGE, null=True),
        replace(AGE, default="1"),
        replace(AGE, generated="1"),
        replace(AGE, identity="always"),
        replace(AGE, serial=True),
    ):
        assert find(state(table()), state(table(column))) == [AddColumn("users", column)]


def test_forbidding_null_needs_a_value_for_rows_that_have_it():
    old, new = state(table(replace(AGE, null=True))), state(table(AGE))
    assert "--fill users.age= " in refusal(old, new)
    column = replace(AGE, null=True)
    assert find(old, new, fills=["users.age=0"]) == [AlterColumn("users", column, AGE, fill="0")]
    assert find(old, new, fills=["users.age="]) == [AlterColumn("users", column, AGE)]
    assert find(new, old) == [AlterColumn("users", AGE, column)]


@pytest.mark.parametrize(
    "other",
    [
        replace(AGE, type="bigint"),
        replace(AGE, default="7"),
        replace(AGE, comment="in years"),
        replace(AGE, client_default="7"),
        replace(AGE, identity="by default"),
    ],
    ids=["type", "default", "comment", "client_default", "identity"],
)
def test_a_changed_column_is_altered(other):
    assert find(state(table(AGE)), state(table(other))) == [AlterColumn("users", AGE, other)]
    assert find(state(table(other)), state(table(AGE)), usings=[]) == [
        AlterColumn("users", other, AGE)
    ]


def test_a_type_that_loses_values_is_refused_unless_somebody_says_how():
    old = Column("price", "numeric(10, 2)")
    new = Column("price", "integer")
    text = refusal(state(table(old)), state(table(new)))
    assert "loses a part of its values" in text
    assert '--using "users.price=price::integer"' in text
    found = find(state(table(old)), state(table(new)), usings=["users.price=round(price)"])
    assert found == [AlterColumn("users", old, new, using="round(price)")]
    assert "has no known conversion" in refusal(
        state(table(Column("price", "uuid"))), state(table(new))
    )


def test_a_conversion_that_postgresql_lacks_is_not_suggested():
    old, new = Column("at", "integer"), Column("at", "timestamptz")
    assert '--using "users.at=…"' in refusal(state(table(old)), state(table(new)))


def test_all_open_questions_are_asked_at_once():
    old = state(table(NICK, Column("price", "numeric(10, 2)")))
    new = state(table(HANDLE, Column("price", "integer"), AGE))

    text = refusal(old, new)

    assert text.startswith("3 problems were found:")
    for option in ("--rename users.nick:handle", '--using "users.price=', "--fill users.age=0"):
        assert option in text


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        ("integer", "--fill users.x=0."),
        ("boolean", "--fill users.x=false."),
        ("varchar(10)", "--fill \"users.x='…'\"."),
        ("timestamptz", '--fill "users.x=now()".'),
        ("uuid", '--fill "users.x=gen_random_uuid()".'),
        ("text[]", "--fill \"users.x='{}'\"."),
    ],
)
def test_the_error_shows_a_value_of_the_type(kind, option):
    assert refusal(state(table()), state(table(Column("x", kind)))).endswith(option)


def test_an_empty_value_for_an_added_column_is_none():
    column = Column("sex", "text")
    assert '--fill "users.sex=' in refusal(
        state(table()), state(table(column)), fills=["users.sex="]
    )
    assert find(state(table()), state(table(replace(column, null=True))), fills=["users.sex="]) == [
        AddColumn("users", replace(column, null=True))
    ]


def test_a_default_without_a_name_is_told_apart_from_none():
    column = replace(AGE, client_default="shop.models.User.<lambda>")
    text = refusal(state(table()), state(table(column)))
    assert "cannot call its default (shop.models.User.<lambda>), which has no name" in text


def test_a_computed_column_is_dropped_and_made_anew_with_what_stands_on_it():
    def made(expression, kind="integer"):
        twice = Column("twice", "integer", generated=expression)
        return state(table(twice, Column("age", kind), indexes=(Index("users_twice", ("twice",)),)))

    twice = made("age * 2").tables[0].column("twice")
    index = made("age * 2").tables[0].indexes[0]
    other = made("age + age").tables[0].column("twice")
    assert find(made("age * 2"), made("age + age")) == [
        DropIndex("users", index),
        DropColumn("users", twice),
        AddColumn("users", other),
        CreateIndex("users", index),
    ]
    assert find(made("age * 2"), made("age * 2", "bigint")) == [
        DropIndex("users", index),
        DropColumn("users", twice),
        AlterColumn("users", AGE, Column("age", "bigint")),
        AddColumn("users", twice),
        CreateIndex("users", index),
    ]


def test_a_column_that_becomes_computed_loses_its_values():
    old, new = state(table(AGE)), state(table(replace(AGE, generated="id * 2")))
    assert "--drop users.age" in refusal(old, new)
    assert find(old, new, drops=["users.age"])[0] == DropColumn("users", AGE)


def test_changed_constraints_and_indexes_are_dropped_first_and_made_last():
    def made(check, columns):
        return state(
            table(
                AGE,
                constraints=(Constraint("users_age_check", check),),
                indexes=(Index("users_age", columns),),
            )
        )

    one, other = made("CHECK (age > 0)", ("age",)), made("CHECK (age > 1)", ("age DESC",))
    assert find(one, other) == [
        DropConstraint("users", one.tables[0].constraints[1]),
        DropIndex("users", one.tables[0].indexes[0]),
        CreateIndex("users", other.tables[0].indexes[0]),
        AddConstraint("users", other.tables[0].constraints[1]),
    ]


def test_names_that_are_swapped_are_made_anew():
    a, b = Index("one", ("age",)), Index("two", ("nick",))
    old = state(table(AGE, NICK, indexes=(a, b)))
    new = state(table(AGE, NICK, indexes=(replace(a, name="two"), replace(b, name="one"))))
    assert find(old, new) == [
        DropIndex("users", b),
        DropIndex("users", a),
        CreateIndex("users", replace(a, name="two")),
        CreateIndex("users", replace(b, name="one")),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"on_delete": "CASCADE"},
        {"on_update": "SET NULL"},
        {"deferrable": "deferred"},
        {"target": "people"},
        {"target_columns": ("age",)},
    ],
    ids=["on_delete", "on_update", "deferrable", "target", "target_columns"],
)
def test_a_foreign_key_that_says_something_else_is_made_anew(change):
    key = ForeignKey("pets_owner_fkey", ("owner",), "users", ("id",))
    others = table(AGE), table(AGE, name="people")

    def made(one):
        return state(*others, table(Column("owner", "integer"), name="pets", constraints=(one,)))

    other = replace(key, **change)
    assert find(made(key), made(other)) == [
        DropConstraint("pets", key),
        AddConstraint("pets", other),
    ]
    assert find(made(key), made(replace(key, on_delete="no action"))) == []


def test_a_key_that_others_point_to_is_changed_with_them_off():
    key = ForeignKey("pets_owner_fkey", ("owner",), "users", ("id",))
    pets = table(Column("owner", "integer"), name="pets", constraints=(key,))
    wide = Constraint("users_pkey", "PRIMARY KEY (id, age)")
    unique = Constraint("users_id_key", "UNIQUE (id)")
    old = state(Table("users", (ID, AGE), constraints=(KEY,)), pets)
    new = state(Table("users", (ID, AGE), constraints=(wide, unique)), pets)
    assert find(old, new) == [
        DropConstraint("pets", key),
        DropConstraint("users", KEY),
        AddConstraint("users", wide),
        AddConstraint("users", unique),
        AddConstraint("pets", key),
    ]


def test_both_ends_of_a_foreign_key_change_their_type_with_it_off():
    def made(kind):
        key = ForeignKey("pets_owner_fkey", ("owner",), "users", ("id",))
        pets = table(Column("owner", kind), name="pets", constraints=(key,))
        return state(Table("users", (Column("id", kind),), constraints=(KEY,)), pets), key

    (old, key), (new, _) = made("integer"), made("text")
    found = find(old, new)
    assert found[0] == DropConstraint("pets", key)
    assert found[-1] == AddConstraint("pets", key)
    assert len(find(old, made("bigint")[0])) == 2


def test_enumerated_types_are_made_grow_and_are_dropped():
    one, other = EnumType("mood", ("a", "c")), EnumType("mood", ("a", "b", "c"))
    assert find(state(), state(enums=(one,))) == [CreateEnum(one)]
    assert find(state(enums=(one,)), state(enums=(other,))) == [AlterEnum(one, other)]
    assert find(state(enums=(one,)), state()) == [DropEnum(one)]


def test_a_type_is_renamed_with_the_columns_of_it():
    one, other = EnumType("kind", ("a", "b")), EnumType("sort", ("a", "b"))
    old = state(table(Column("is", "kind"), Column("were", "kind[]")), enums=(one,))
    new = state(table(Column("is", "sort"), Column("were", "sort[]")), enums=(other,))
    more = EnumType("sort", ("a", "b", "c"))
    grown = state(table(Column("is", "sort"), Column("were", "sort[]")), enums=(more,))
    renamed = AlterEnum(one, other)

    assert find(old, new, renames=["kind:sort"]) == [renamed]
    assert apply_operations(old, [renamed]) == new
    assert find(old, grown, renames=["kind:sort"]) == [renamed, AlterEnum(other, more)]
    refused = refusal(old, new)
    assert "kind is gone and sort is new: was it renamed? Give --rename kind:sort; or" in refused
    assert "--using" not in refused


def moods(*values):
    return EnumType("mood", values)


def from_moods(old, new, **answers):
    return find(state(enums=(moods(*old),)), state(enums=(moods(*new),)), **answers)


def test_a_value_of_an_enumerated_type_goes_if_that_is_accepted():
    old, new = state(enums=(moods("a", "b", "c"),)), state(enums=(moods("a", "c"),))

    assert "mood.b: rows that hold this value" in refusal(old, new)
    assert "give --drop mood.b" in refusal(old, new)
    assert find(old, new, drops=["mood.b"]) == [AlterEnum(moods("a", "b", "c"), moods("a", "c"))]


def test_a_value_that_gave_way_to_another_was_renamed_or_dropped():
    refused = refusal(state(enums=(moods("a", "b"),)), state(enums=(moods("a", "c"),)))

    assert "mood.b is gone and c is new: was it renamed? Give --rename mood.b:c" in refused
    assert from_moods("ab", "ac", renames=["mood.b:c"]) == [AlterEnum(moods(*"ab"), moods(*"ac"))]
    assert from_moods("ab", "ac", drops=["mood.b"]) == [
        AlterEnum(moods(*"ab"), moods(*"abc")),
        AlterEnum(moods(*"abc"), moods(*"ac")),
    ]
    assert from_moods("ab", "xay", renames=["mood.b:y"]) == [
        AlterEnum(moods(*"ab"), moods(*"ay")),
        AlterEnum(moods(*"ay"), moods(*"xay")),
    ]


def test_a_value_that_goes_while_others_come_may_be_one_of_them():
    refused = refusal(state(enums=(moods("a", "b"),)), state(enums=(moods("a", "c", "d"),)))

    assert (
        "give --rename mood.b:c or --rename mood.b:d. If that is meant, give --drop mood.b"
        in refused
    )


def test_a_value_is_renamed_between_the_drop_and_the_return_of_a_condition_that_names_it():
    def people(value, **default):
        check = Constraint("calm", f"CHECK (mood <> '{value}')")
        return table(Column("mood", "mood", **default), constraints=(check,))

    old = state(people("b", default="'b'::mood"), enums=(moods("a", "b"),))
    new = state(people("c", default="'c'::mood"), enums=(moods("a", "c"),))

    found = find(old, new, renames=["mood.b:c"])

    assert [type(each) for each in found] == [DropConstraint, AlterEnum, AddConstraint]
    assert apply_operations(old, found) == new


def test_the_values_of_an_enumerated_type_are_put_into_another_order():
    assert from_moods("ab", "ba") == [AlterEnum(moods(*"ab"), moods(*"ba"))]
    assert from_moods("ab", "bca") == [
        AlterEnum(moods(*"ab"), moods(*"abc")),
        AlterEnum(moods(*"abc"), moods(*"bca")),
    ]


def test_a_value_goes_after_the_columns_that_had_it():
    one, other = (Column("mood", "mood", default=f"'{each}'") for each in "ba")
    old, new = table(one, AGE), table(other)

    found = find(
        state(old, enums=(moods("a", "b"),)), state(new, enums=(moods("a"),)), drops=["mood.b"]
    )

    kinds = [type(each) for each in found]
    assert kinds == [AlterColumn, DropColumn, AlterEnum]


def test_a_comment_of_a_table_is_changed():
    assert find(state(table()), state(table(comment="all users"))) == [
        CommentTable("users", None, "all users")
    ]


def test_settings_of_a_table_cannot_change():
    assert "table_settings" in refusal(state(table()), state(table(storage=("WITH (x = 1)",))))


@pytest.mark.parametrize(
    "answers",
    [
        {"renames": ["users.nick:handle"]},
        {"drops": ["users.nick"]},
        {"fills": ["users.nick=1"]},
        {"usings": ["users.nick=nick"]},
    ],
    ids=["rename", "drop", "fill", "using"],
)
def test_an_answer_that_nothing_asked_for_is_an_error(answers):
    assert "no change of the models asks for this" in refusal(state(), state(), **answers)


def test_a_rename_of_no_name_is_told_before_what_would_come_of_it_is_asked():
    old, new = state(table(NICK, AGE)), state(table(AGE, Column("code", "integer", null=False)))

    said = refusal(old, new, renames=["users.nik:code"])

    assert "--rename users.nik:code: no change of the models asks for this" in said
    assert "--fill" not in said


@pytest.mark.parametrize(
    "answers", [{"renames": ["nick"]}, {"renames": ["nick:"]}, {"fills": ["=1"]}, {"usings": ["a"]}]
)
def test_an_answer_that_cannot_be_read_is_an_error(answers):
    assert "cannot be read: write" in refusal(state(), state(), **answers)


def test_indexes_of_two_tables_that_swap_names_step_aside():
    def both(first, second):
        users = table(indexes=(Index(first, ("id",)),))
        return state(users, table(name="cities", indexes=(Index(second, ("id",)),)))

    assert find(both("one", "two"), both("two", "one")) == [
        RenameIndex("users", "one", "users_one_aside"),
        RenameIndex("cities", "two", "cities_two_aside"),
        RenameIndex("users", "users_one_aside", "two"),
        RenameIndex("cities", "cities_two_aside", "one"),
    ]


@pytest.mark.parametrize("kind", ["index", "enum"])
def test_a_table_whose_name_another_takes_is_dropped_first(kind):
    old = table(name="old", indexes=(Index("old_ids", ("id",)),))
    kept = table()
    after = {
        "index": [table(indexes=(Index("old", ("id",)),))],
        "enum": [table()],
    }[kind]
    enums = (EnumType("old", ("a",)),) if kind == "enum" else ()

    found = find(state(kept, old), state(*after, enums=enums))

    assert [type(each) is DropTable for each in found] == [True, False]


def test_a_table_takes_no_name_that_is_given_up_only_later():
    held = state(table(indexes=(Index("people", ("id",)),)))

    with pytest.raises(ImproperlyConfigured, match="something else has the name people until"):
        find(held, state(table(name="people")), renames=["users:people"])
    with pytest.raises(ImproperlyConfigured, match="something else has the name people until"):
        find(
            state(table(), enums=(EnumType("people", ("a",)),)),
            state(table(name="people")),
            renames=["users:people"],
        )
