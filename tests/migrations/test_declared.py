import enum
import re
import types
import uuid
from pathlib import Path

import peewee
import pytest
from peewee import SQL, Check, CompositeKey, ForeignKeyField, Model, fn
from playhouse import postgres_ext
from playhouse.postgres_ext import Psycopg3Database

from msframework import models as ours
from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.catalog import find_adopted
from msframework.migrations.declared import describe, table_name
from msframework.migrations.model_search import has_table
from tests.migrations.pg_catalog import create_by_peewee, create_by_state, read_catalog
from tests.migrations.random_models import make_models
from tests.migrations.support import own_database

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "models.md"


@pytest.fixture(scope="module")
def database(server_url):
    """A database with extensions, for transactions that are taken back."""
    with own_database(server_url, "declared") as url, Psycopg3Database(url) as database:
        yield database


@pytest.fixture(scope="module")
def compare(database):
    """Makes models by peewee, and by their description, and compares what came of it."""

    def run(*models):
        found = []
        state = describe(models)
        for create, thing in ((create_by_peewee, models), (create_by_state, state)):
            with database.atomic() as transaction:
                create(database, thing)
                found.append(read_catalog(database))
                adopted = find_adopted(database, state)
                transaction.rollback()
        for part in found[0]:
            assert found[0][part] == found[1][part]
        assert (adopted.missing, adopted.differences) == ((), {})

    return run


def model(name, meta=None, /, **fields):
    """Return a model of *fields*."""
    attributes = {"__module__": __name__, "Meta": type("Meta", (), meta or {})}
    return type(name, (Model,), {**fields, **attributes})


def test_every_class_of_column(compare):
    fields = {
        name.lower(): getattr(peewee, name)(null=number % 2 == 0)
        for number, name in enumerate(
            [
                "BigBitField",
                "BigIntegerField",
                "BinaryUUIDField",
                "BitField",
                "BlobField",
                "BooleanField",
                "CharField",
                "DateField",
                "DateTimeField",
                "DecimalField",
                "DoubleField",
                "FixedCharField",
                "FloatField",
                "IPField",
                "IntegerField",
                "JSONField",
                "SmallIntegerField",
                "TextField",
                "TimeField",
                "TimestampField",
                "UUIDField",
            ]
        )
    }
    compare(
        model("Plain", **fields),
        model(
            "Sized",
            {"legacy_table_names": False},
            id=peewee.BigAutoField(),
            name=peewee.CharField(max_length=3),
            endless=peewee.CharField(max_length=None),
            code=peewee.FixedCharField(max_length=7),
            price=peewee.DecimalField(max_digits=7, decimal_places=2),
            zoned=ours.DateTimeTZField(),
            document=ours.JSONField(default=dict),
        ),
        model("ByDefault", id=peewee.IdentityField()),
        model("Always", id=peewee.IdentityField(generate_always=True)),
        model("Keyless", {"primary_key": False}, name=peewee.TextField(null=True)),
    )


def test_columns_of_postgresql(compare):
    compare(
        model(
            "Extended",
            numbers=postgres_ext.ArrayField(peewee.IntegerField),
            names=postgres_ext.ArrayField(
                peewee.CharField, {"max_length": 9}, dimensions=2, default=list, index=False
            ),
            uuids=postgres_ext.ArrayField(peewee.UUIDField, index_type="BTREE", unique=True),
            words=postgres_ext.TSVectorField(index_type="GIST"),
            document=postgres_ext.BinaryJSONField(default=dict),
            text=postgres_ext.JSONField(),
            span=postgres_ext.IntervalField(null=True),
            moment=postgres_ext.DateTimeTZField(default=uuid.uuid4),
        )
    )


class Network(peewee.Field):
    field_type = "inet"


class Money(peewee.Field):
    field_type = "NUMERIC(12,2) DEFAULT 0"


def test_what_columns_say_in_sql(compare):
    compare(
        model(
            "Said",
            {"table_name": "said", "legacy_table_names": False},
            network=Network(null=True),
            money=Money(),
            seven=peewee.IntegerField(constraints=[SQL("DEFAULT 7"), Check("seven > 0")]),
            cased=peewee.CharField(collation='"C"', constraints=[peewee.Default("'it''s 7%%'")]),
            twice=peewee.IntegerField(
                constraints=[Check("twice > 1"), Check("twice < 9"), Check("twice <> seven")]
            ),
            named=peewee.IntegerField(constraints=[Check("named > 1", "it_is_named")]),
            only=peewee.TextField(null=True, constraints=[SQL("UNIQUE NOT NULL")]),
            short=peewee.TextField(
                constraints=[SQL("GENERATED ALWAYS AS (left(cased, 3)) STORED")]
            ),
            parent=peewee.IntegerField(
                null=True,
                constraints=[
                    SQL("REFERENCES said (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED")
                ],
            ),
            bare=peewee.BareField(null=True, constraints=[SQL("point")]),
            stamp=peewee.DateTimeField(
                constraints=[SQL("DEFAULT (now() AT TIME ZONE 'utc')"), SQL("CHECK (true)")]
            ),
        )
    )


def test_keys(compare):
    Author = model("Author", code=peewee.CharField(max_length=5, primary_key=True))
    Book = model(
        "Book",
        {"schema": "shop"},
        id=peewee.UUIDField(primary_key=True),
        isbn=peewee.FixedCharField(max_length=13, unique=True),
        author=ForeignKeyField(Author, on_delete="CASCADE", on_update="restrict"),
        sequel_of=ForeignKeyField("self", null=True, on_delete="NO ACTION"),
    )
    Copy = model(
        "Copy",
        {"primary_key": CompositeKey("book", "number"), "schema": "shop"},
        book=ForeignKeyField(Book, deferrable="INITIALLY DEFERRED", constraint_name="of_book"),
        isbn=ForeignKeyField(Book, field="isbn", column_name="isbn", backref="+", index=False),
        number=peewee.IntegerField(null=True),
    )
    Account = model("Account", author=ForeignKeyField(Author, primary_key=True))
    Login = model("Login", id=peewee.BigAutoField(), account=ForeignKeyField(Account, unique=True))
    Event = model("Event", login=ForeignKeyField(Login, backref="+", null=True))
    compare(Author, Book, Copy, Account, Login, Event)


def test_sequences(compare):
    counted = model("Counted", id=peewee.IntegerField(primary_key=True, sequence="of_all"))
    other = model(
        "AlsoCounted",
        {"schema": "shop"},
        id=peewee.BigIntegerField(primary_key=True, sequence="own"),
        number=peewee.IntegerField(sequence="public.of_all", index=True),
    )

    assert describe([counted]).tables[0].columns[0].default == "NEXTVAL('of_all')"
    compare(counted, other)


def test_deferred_keys(compare):
    First = model("FirstOfTwo", second=peewee.DeferredForeignKey("SecondOfTwo", null=True))
    Second = model("SecondOfTwo", first=ForeignKeyField(First, null=True))
    # peewee itself leaves a key open whose target was there before it.
    Third = model("ThirdOfTwo", other=peewee.DeferredForeignKey("SecondOfTwo", on_delete="CASCADE"))

    state = describe([First, Second, Third])

    names = [key.name for table in state.tables for key in table.foreign_keys]
    assert names == [
        "fk_firstoftwo_second_id_refs_secondoftwo",
        "secondoftwo_first_id_fkey",
        "fk_thirdoftwo_other_id_refs_secondoftwo",
    ]
    compare(First, Second, Third)


def test_tables(compare):
    long = "a_name_that_is_much_too_long_for_a_table"
    compare(
        model(
            "Kept",
            {
                "table_name": "Kept Things",
                "table_settings": ["WITH (fillfactor = 70)"],
                "constraints": [
                    SQL("UNIQUE (a, b)"),
                    SQL("UNIQUE NULLS NOT DISTINCT (b) INCLUDE (id)"),
                    Check("a < b"),
                    Check("a < 3"),
                    Check('"Mixed" < 3', "Named Check"),
                    SQL("EXCLUDE USING btree (a WITH =) WHERE (a > 5)"),
                    SQL(
                        'CONSTRAINT own FOREIGN KEY (b) REFERENCES "Kept Things" ON DELETE CASCADE'
                    ),
                ],
            },
            a=peewee.IntegerField(),
            b=peewee.IntegerField(),
            mixed=peewee.IntegerField(column_name="Mixed"),
            user=peewee.IntegerField(column_name="user", index=True),
        ),
        model(
            "Long",
            {
                "table_name": long,
                "legacy_table_names": False,
                "constraints": [
                    SQL(f"UNIQUE ({long}_one, {long}_two)"),
                    Check(f"{long}_one > 0"),
                    Check(f"{long}_one < 9"),
                ],
                "indexes": (((f"{long}_one", f"{long}_two"), True),),
            },
            **{
                f"{long}_one": peewee.IntegerField(index=True, constraints=[SQL("UNIQUE")]),
                f"{long}_two": peewee.IntegerField(),
                f"{long}_self": ForeignKeyField("self", null=True),
                "ü" * 40: peewee.IntegerField(column_name="ü" * 40, index=True),
                "überlänge" * 5: peewee.IntegerField(index=True, constraints=[SQL("UNIQUE")]),
            },
        ),
    )


def test_a_table_whose_name_postgresql_cuts(compare):
    own = ForeignKeyField("self", null=True, constraints=[Check("own_id > 0")])
    compare(model("Cut", {"table_name": "y" * 70, "legacy_table_names": False}, own=own))


def test_indexes(compare):
    Note = model(
        "Note",
        {
            "schema": "shop",
            "table_name": "notes",
            "legacy_table_names": False,
            "indexes": (
                (("title", "age"), True),
                (("code", "age", SQL("lower(title) DESC")), False),
                SQL(
                    "CREATE UNIQUE INDEX IF NOT EXISTS covering ON shop.notes USING btree"
                    " (age DESC NULLS LAST, title text_pattern_ops ASC NULLS FIRST) INCLUDE (id)"
                    " WITH (fillfactor=70) WHERE (age > 3) AND title <> 'a;b'"
                ),
                SQL("CREATE INDEX ON shop.notes ((age + 1), lower(title), (age + 2))"),
            ),
        },
        title=peewee.CharField(index=True),
        age=peewee.IntegerField(unique=True, null=True),
        active=peewee.BooleanField(),
        document=postgres_ext.BinaryJSONField(),
        code=peewee.UUIDField(),
    )
    Note.add_index(Note.title, where=(Note.age > 3) & (Note.title != "o'x"), name="partial")
    Note.add_index(Note.code, where=Note.code == uuid.UUID(int=7), name="of_code")
    Note.add_index(Note.age, unique=True, nulls_distinct=False, name="one_null")
    Note.add_index(fn.lower(Note.title), Note.age.desc(nulls="last"), name="expressions")
    Note.add_index(Note.index(Note.title, Note.age, unique=True, using="btree", name="made"))
    Note.add_index(Note.index(SQL("document jsonb_path_ops"), using="GIN", name="paths"))
    Note.add_index(SQL("CREATE INDEX hashed ON shop.notes USING hash (title)"))
    compare(Note)


def test_values_of_predicates_are_those_of_their_columns():
    Flag = model("Flag", on=peewee.BooleanField())
    Flag.add_index(Flag.on, where=Flag.on == True, name="those_on")  # noqa: E712

    (table,) = describe([Flag]).tables

    assert table.indexes[0].where == '"on" = true'
    assert table_name(Flag) == "flag"


def test_many_to_many(compare):
    Student = model("Student", name=peewee.TextField())
    Course = model("Course", students=peewee.ManyToManyField(Student, on_delete="CASCADE"))

    compare(Student, Course, Course.students.get_through_model())


class Colour(enum.Enum):
    RED = "red"
    BLUE = "it's blue"


def test_enumerated_types(compare):
    Pot = model("Pot", colour=ours.EnumField(Colour, primary_key=True))
    Brush = model(
        "Brush",
        pot=ForeignKeyField(Pot),
        mixed=postgres_ext.ArrayField(ours.EnumField, {"enum_class": Colour}),
        other=ours.EnumField(Colour, "shop.colour", null=True, default=Colour.RED, index=True),
    )
    Brush.add_index(Brush.other, where=Brush.other == Colour.BLUE, name="those_in_blue")

    state = describe([Pot, Brush])

    assert [enum.name for enum in state.enums] == ["colour", "shop.colour"]
    assert state.enums[0].values == ("red", "it's blue")
    assert state.tables[1].column("other").client_default == "'red'"
    compare(Pot, Brush)


def test_two_enums_of_one_type_are_refused():
    other = enum.Enum("Colour", {"RED": "red"})

    with pytest.raises(ImproperlyConfigured, match=r"Two\.other: another enum .* type colour too"):
        describe([model("Two", one=ours.EnumField(Colour), other=ours.EnumField(other))])


def test_an_enum_of_the_name_of_a_table_is_refused():
    with pytest.raises(ImproperlyConfigured, match="type colour has the name of a table"):
        describe([model("Colour", kind=ours.EnumField(Colour))])


def test_defaults_of_the_client_are_told():
    class Told(Model):
        a = peewee.TextField(default="it's")
        b = ours.JSONField(default=dict)
        c = postgres_ext.ArrayField(default=lambda: [1])
        d = peewee.UUIDField(default=uuid.uuid4)
        e = ours.DateTimeTZField(default=ours.utcnow)
        f = peewee.IntegerField()
        g = ours.DateTimeTZField(auto_now_add=True)

    (table,) = describe([Told]).tables

    assert [column.client_default for column in table.columns] == [
        None,
        '"it\'s"',
        "dict",
        f"{__name__}.test_defaults_of_the_client_are_told.<locals>.Told.<lambda>",
        "uuid.uuid4",
        "msframework.models.base.utcnow",
        None,
        "msframework.models.base.utcnow",
    ]


def test_comments_are_texts_of_help_and_those_of_meta():
    class Commented(Model):
        name = peewee.TextField(help_text="what it is called")
        other = peewee.TextField(help_text=dict)

        class Meta:
            comment = "Things"

    class Heir(Commented):
        pass

    table, heir = describe([Commented, Heir]).tables

    assert [column.comment for column in table.columns] == [None, "what it is called", None]
    assert (table.comment, heir.comment) == ("Things", None)


def test_names_that_a_schema_would_hold_twice_are_refused():
    owner = model("Own", {"legacy_table_names": False}, b_c=peewee.IntegerField(index=True))
    other = model("OwnB", {"legacy_table_names": False}, c=peewee.IntegerField(index=True))
    elsewhere = model("OwnB", {"schema": "shop"}, c=peewee.IntegerField(index=True))
    mixed = model(
        "Mixed",
        {"indexes": ((("a", "key"), False),)},
        a=peewee.IntegerField(constraints=[SQL("UNIQUE")]),
        key=peewee.IntegerField(),
    )

    describe([owner, elsewhere])
    with pytest.raises(ImproperlyConfigured, match="own_b: its own_b_c has the name of"):
        describe([owner, other])
    with pytest.raises(ImproperlyConfigured, match="its mixed_a_key has the name"):
        describe([mixed])


def test_two_models_of_one_table_must_agree():
    first = model("First", {"table_name": "shared"}, a=peewee.IntegerField())
    same = model("Same", {"table_name": "shared"}, a=peewee.IntegerField())
    other = model("Other", {"table_name": "shared"}, a=peewee.TextField())

    assert len(describe([first, same]).tables) == 1
    with pytest.raises(ImproperlyConfigured, match="another model has the table shared too"):
        describe([first, other])


def test_models_that_say_more_than_a_table_can_are_refused():
    Pair = model("Pair", {"primary_key": CompositeKey("a", "b")}, a=_int(), b=_int())
    Base = type("Base", (ours.Model,), {"Meta": type("Meta", (), {"abstract": True})})
    refused = {
        "holds a dot": model("Dotted", {"table_name": "a.b"}),
        "PostgreSQL takes no Meta.options": model("Options", {"options": {"fillfactor": 70}}),
        "whose primary key is not one field": model("ToPair", pair=ForeignKeyField(Pair)),
        "points to Base, which has no table": model("ToBase", base=ForeignKeyField(Base)),
        "there is no field 'nothing'": model("NoField", {"indexes": ((("nothing",), True),)}),
        "unique, which an index by gin cannot be": model(
            "Gin", a=postgres_ext.ArrayField(unique=True)
        ),
        "stands where CREATE should": model("NoIndex", {"indexes": (SQL("DROP TABLE x"),)}),
        "its index i is on other": model(
            "Moved", {"indexes": (SQL("CREATE INDEX i ON other (a)"),)}
        ),
        "two indexes of the name twice_a": model(
            "Twice", {"indexes": ((("a",), True),)}, a=_int(index=True)
        ),
        "2 of its fields have the column x{63}\\.": model(
            "Cut", **{"x" * 63: _int(), "x" * 64: _int()}
        ),
        "one of its Meta.constraints cannot be read": model(
            "Bad", {"constraints": [SQL("LIKE x")]}
        ),
        "points to nowhere, which is no table of these models": model(
            "Lost", a=_int(constraints=[SQL("REFERENCES nowhere")])
        ),
    }

    for message, each in refused.items():
        with pytest.raises(ImproperlyConfigured, match=message) as caught:
            describe([each])
        assert len(caught.value.problems) == 1

    with pytest.raises(ImproperlyConfigured) as caught:
        describe(list(refused.values()))
    assert len(caught.value.problems) == len(refused)


_int = peewee.IntegerField


REFUSED = {
    "no type": (peewee.BareField(), r"x: its column cannot be read: it has no type"),
    "text": (peewee.IntegerField(constraints=["DEFAULT 7"]), "'DEFAULT 7'.* cannot be read there"),
    "two defaults": (
        peewee.AutoField(constraints=[SQL("DEFAULT 7")]),
        "it has two default values",
    ),
    "virtual": (
        peewee.IntegerField(constraints=[SQL("GENERATED ALWAYS AS (1)")]),
        "STORED is missing",
    ),
    "match": (
        peewee.IntegerField(constraints=[SQL("REFERENCES x (y) MATCH FULL")]),
        "MATCH SIMPLE",
    ),
    "open": (peewee.IntegerField(constraints=[SQL("CHECK (x > 0")]), "parenthesis is not closed"),
    "nowhere": (peewee.DeferredForeignKey("Nothing"), "no model 'nothing'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_named(case):
    field, message = REFUSED[case]

    with pytest.raises(ImproperlyConfigured, match=message) as caught:
        describe([model("Refused", x=field)])

    assert f"{__name__}.Refused.x: " in str(caught.value)


@pytest.mark.parametrize("seed", range(2))
def test_models_at_random(compare, seed):
    compare(*make_models(seed, 12))


def test_the_page_on_models_says_what_peewee_makes(compare):
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    page = types.ModuleType("page")
    exec(block, vars(page))

    state = describe([page.Customer, page.Order])

    assert not has_table(page.Dated)
    assert [enum.name for enum in state.enums] == ["order_state"]
    assert state.table("customers").comment == "Whoever has ordered once"
    page.Customer.email.help_text = page.Customer._meta.comment = None  # peewee writes none
    compare(page.Customer, page.Order)


def test_an_action_that_is_none_is_a_mistake_of_its_foreign_key():
    class Owner(peewee.Model):
        pass

    class Owned(peewee.Model):
        owner = peewee.ForeignKeyField(Owner, on_delete="CASCAD")

    with pytest.raises(ImproperlyConfigured, match=r"Owned\.owner: its foreign key cannot be read"):
        describe([Owner, Owned])
