"""What is rendered from a known shape is what peewee renders."""

import json
import random
from datetime import UTC, date, datetime
from decimal import Decimal

import peewee
import pytest
from peewee import Value
from playhouse.postgres_ext import BinaryJSONField
from playhouse.postgres_ext import JSONField as PlayhouseJSONField

from msframework.models import (
    EXCLUDED,
    SQL,
    BlobField,
    BooleanField,
    Case,
    Cast,
    CharField,
    DateTimeTZField,
    DecimalField,
    ForeignKeyField,
    IntegerField,
    JSONField,
    Model,
    UUIDField,
    fn,
    utcnow,
)
from msframework.models import sql as sql_module
from msframework.models.layout import NoShape
from msframework.models.shape import read_shape
from msframework.models.sql import Renderer, complete, render


class City(Model):
    name = CharField()


class User(Model):
    name = CharField(unique=True)
    age = IntegerField(null=True)
    balance = DecimalField(default=Decimal("0"))
    active = BooleanField(default=True)
    city = ForeignKeyField(City, null=True)
    uid = UUIDField(null=True)
    data = JSONField(null=True)
    photo = BlobField(null=True)
    create_time = DateTimeTZField(default=utcnow)

    class Meta:
        table_name = "users"


TABLE = peewee.Table("users", ("id", "name"), primary_key="id")


def text():
    return f"t{random.random()}"


def number():
    return random.randint(10**6, 10**9)


def manager():
    return User.alias("manager")


def tree():
    base = City.select(City.id, City.name).where(City.id == number()).cte("tree", recursive=True)
    step = City.select(City.id, City.name).join(base, on=(City.id == base.c.id))
    return base.union_all(step).select_from(base.c.id, base.c.name)


def upsert():
    return User.insert(name=text(), age=number()).on_conflict(
        conflict_target=[User.name],
        preserve=[User.balance],
        update={User.age: EXCLUDED.age + number()},
        where=(User.age < number()),
    )


def self_join():
    boss = manager()
    return (
        User.select(User.name, boss.name)
        .join(boss, on=(User.age == boss.age))
        .where(boss.name == text())
    )


QUERIES = {
    "select": lambda: User.select().where(User.id == number()),
    "columns": lambda: User.select(User.id, User.name.alias("called")).order_by(User.name.desc()),
    "and or not": lambda: User.select().where(
        ((User.age > number()) | (User.age.is_null())) & ~(User.name == text())
    ),
    "in": lambda: User.select().where(User.id.in_([number(), number(), number()])),
    "in tuple": lambda: User.select().where(User.id.not_in((number(), number()))),
    "in nothing": lambda: User.select().where(User.id.in_([])),
    "between": lambda: User.select().where(User.age.between(number(), number())),
    "like": lambda: User.select().where(User.name.contains(text()) | User.name.startswith(text())),
    "page": lambda: User.select().order_by(User.id).limit(number()).offset(number()),
    "join": lambda: User.select(User, City).join(City).where(City.name == text()),
    "left join": lambda: User.select(User.id).join(City, peewee.JOIN.LEFT_OUTER),
    "self join": self_join,
    "subquery": lambda: User.select().where(
        User.city.in_(City.select(City.id).where(City.name == text()))
    ),
    "exists": lambda: User.select().where(
        fn.EXISTS(City.select().where((City.id == User.city) & (City.name == text())))
    ),
    "from subquery": lambda: peewee.Select(
        [User.select(User.age).where(User.age > number()).alias("counted")], [fn.COUNT(SQL("*"))]
    ),
    "group": lambda: (
        User.select(User.city, fn.SUM(User.age).alias("sum"))
        .group_by(User.city)
        .having(fn.COUNT(User.id) > number())
    ),
    "distinct": lambda: User.select(User.city).distinct(),
    "distinct on": lambda: User.select().distinct(User.city).order_by(User.city),
    "case": lambda: User.select(Case(None, [(User.age > number(), text())], text()).alias("kind")),
    "cast": lambda: User.select(Cast(User.age, "text"), fn.COALESCE(User.age, number())),
    "window": lambda: User.select(
        fn.RANK().over(partition_by=[User.city], order_by=[User.age.desc()])
    ),
    "named window": lambda: (
        User.select(fn.SUM(User.age).over(window=peewee.Window(order_by=[User.id], alias="w")))
        .window(peewee.Window(order_by=[User.id], alias="w"))
    ),
    "union": lambda: (
        User.select(User.id).where(User.age > number())
        | User.select(User.id).where(User.age < number())
    ),
    "union ordered": lambda: (
        (User.select(User.id) + City.select(City.id)).order_by(SQL("1")).limit(number())
    ),
    "cte": tree,
    "for update": lambda: (
        User.select().where(User.id == number()).for_update(of=User, skip_locked=True)
    ),
    "raw fragment": lambda: User.select().where(
        SQL("age + %s > 1 OR name = %s", [number(), text()])
    ),
    "json": lambda: User.select().where(User.data["a"]["b"] == {"x": number()}),
    "json text": lambda: User.select().where(User.data["a"].as_text() == text()),
    "json contains": lambda: User.select().where(User.data.contains([number()])),
    "foreign key by object": lambda: User.select().where(User.city == City(id=number())),
    "aggregate filter": lambda: User.select(fn.COUNT(User.id).filter(User.age > number())),
    "concatenation": lambda: User.select(User.name.concat(text()) + text()),
    "table": lambda: TABLE.select(TABLE.name).where(TABLE.id == number()),
    "nulls last": lambda: User.select().order_by(User.age.desc(nulls="last")),
    "insert": lambda: User.insert(name=text(), age=number(), balance=Decimal(number())),
    "insert null": lambda: User.insert(name=text(), age=None),
    "insert json list": lambda: User.insert(name=text(), data=[number(), {"a": [text()]}]),
    "insert json object": lambda: User.insert({User.name: text(), User.data: {"a": number()}}),
    "insert bytes": lambda: User.insert(name=text(), photo=text().encode()),
    "insert returning": lambda: User.insert(name=text()).returning(User.id, User.create_time),
    "insert expression": lambda: User.insert(name=fn.UPPER(text()), age=number()),
    "insert many": lambda: User.insert_many([{"name": text(), "age": number()} for _ in range(3)]),
    "insert of very many": lambda: City.insert_many([{"name": text()} for _ in range(60)]),
    "insert tuples": lambda: User.insert_many(
        [(text(), number())], fields=[User.name, User.age]
    ),
    "insert select": lambda: City.insert_from(
        User.select(User.name).where(User.age > number()), [City.name]
    ),
    "insert foreign key": lambda: User.insert(name=text(), city=number()),
    "ignore": lambda: User.insert(name=text()).on_conflict_ignore(),
    "upsert": upsert,
    "update": lambda: User.update(age=number(), name=text()).where(User.id == number()),
    "update expression": lambda: User.update({User.age: User.age + number()}),
    "update json": lambda: User.update(data=[number()]).where(User.id == number()),
    "update null": lambda: User.update(age=None).where(User.id == number()),
    "update from": lambda: (
        User.update(name=City.name)
        .from_(City)
        .where((User.city == City.id) & (City.id == number()))
    ),
    "delete": lambda: User.delete().where(User.id == number()).returning(User.id),
    "delete all": lambda: User.delete(),
}  # fmt: skip
# Rendered every time: what peewee makes of them isn't decided by their shape.
SHAPELESS = {"insert tuples", "foreign key by object", "insert of very many"}


def as_peewee_renders(query):
    return sql_module._write(complete(query) if isinstance(query, peewee.ModelInsert) else query)[
        :2
    ]


def plain(arguments):
    """Values that can be compared: bytes arrays and times are made anew for each query."""
    return [bytes(item) if isinstance(item, bytearray) else item for item in arguments]


@pytest.mark.parametrize("name", QUERIES)
def test_a_known_shape_renders_what_peewee_renders(name):
    renderer = Renderer()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    default = User.create_time.default
    User._meta.defaults[User.create_time] = lambda: now
    try:
        for _ in range(4):
            query = QUERIES[name]()
            sql, arguments = renderer.render(query)
            expected, values = as_peewee_renders(query)
            assert sql == expected
            assert plain(arguments) == plain(values)
            assert "%s" not in sql
            assert [f"${n}" in sql for n in range(1, len(arguments) + 1)] == [True] * len(arguments)
    finally:
        User._meta.defaults[User.create_time] = default

    assert (renderer.hits > 0) is (name not in SHAPELESS), name


def test_shapes_differ_where_texts_differ():
    renderer = Renderer()
    texts = {}
    for make in QUERIES.values():
        for query in (make(), make()):
            try:
                key = tuple(read_shape(query).key)
            except NoShape:
                continue
            assert texts.setdefault(key, renderer.render(query)[0]) == as_peewee_renders(query)[0]

    assert len(texts) > 40


def test_equal_values_are_told_apart_as_soon_as_they_differ():
    renderer = Renderer()

    def make(first, second):
        return User.select().where((User.id == first) & (User.age == second))

    for first, second in [(5, 5), (6, 6), (6, 7), (8, 9), (9, 9)]:
        assert renderer.render(make(first, second))[1] == (first, second)
    assert (renderer.hits, renderer.misses) == (3, 2)


def test_a_value_of_another_type_is_another_shape():
    renderer = Renderer()

    assert renderer.render(User.select().where(User.age == 5))[1] == (5,)
    assert renderer.render(User.select().where(User.age == "6"))[1] == (6,)
    assert " IS " in renderer.render(User.select().where(User.age == None))[0]  # noqa: E711


def test_defaults_are_evaluated_for_each_query():
    first, second = (render(User.insert(name="a"))[1] for _ in range(2))

    assert first[-1] < second[-1]


def test_a_default_does_not_replace_what_was_given():
    when = datetime(2026, 1, 1, tzinfo=UTC)

    assert render(User.insert(name="a", create_time=when))[1][-1] == when
    assert render(User.insert({User.name: "a", "create_time": when}))[1][-1] == when


def test_a_row_that_is_no_dict_is_left_to_peewee():
    query = User.insert_many([("a", 1)], fields=None)

    assert complete(query) is query


def test_a_field_that_turns_a_value_into_sql_is_rendered_anew():
    class Odd(CharField):
        def db_value(self, value):
            return SQL("DEFAULT") if value == "default" else value

    class Thing(Model):
        name = Odd()

    renderer = Renderer()
    for value, expected in [("a", ("a",)), ("b", ("b",)), ("default", ()), ("c", ("c",))]:
        assert renderer.render(Thing.insert(name=value))[1] == expected


def test_the_oldest_shapes_are_forgotten(monkeypatch):
    monkeypatch.setattr(sql_module, "_MOST_SHAPES", 2)
    renderer = Renderer()
    for query in (City.select(), City.delete(), User.delete()):
        renderer.render(query)

    assert len(renderer.texts) == 2


def test_a_raw_query_has_its_parameters_numbered():
    assert render(City.raw("SELECT * FROM city WHERE id = %s AND name = %s", 1, "x")) == (
        "SELECT * FROM city WHERE id = $1 AND name = $2",
        (1, "x"),
    )
    assert render(City.raw("SELECT * FROM city WHERE id = $1", 1)) == (
        "SELECT * FROM city WHERE id = $1",
        (1,),
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: User.select().where(fn.LOWER(User.name) == peewee.DQ(name="a")),
        lambda: User.insert_many({"name": text()} for _ in range(2)),
        lambda: User.select().where(User.name == peewee.Value("a", converter=str.upper)),
        lambda: peewee.Select([User], [peewee.Value([1, 2])]),
        lambda: peewee.Insert(User, {"name": "a"}),
    ],
)
def test_what_is_rare_is_rendered_by_peewee_or_like_it(make):
    renderer = Renderer()
    try:
        expected = as_peewee_renders(make())[0]
    except Exception as exc:
        with pytest.raises(type(exc)):
            renderer.render(make())
        return
    for _ in range(3):
        assert renderer.render(make())[0] == expected


def test_a_query_in_an_unknown_place_has_no_shape():
    with pytest.raises(NoShape, match="object"):
        read_shape(object())
    window = peewee.Window(order_by=[User.id], extends=peewee.Window(alias="base"))
    with pytest.raises(NoShape, match="Window"):
        read_shape(window)


def test_columns_may_be_named_as_texts():
    renderer = Renderer()
    for number_ in range(3):
        sql, arguments = renderer.render(
            User.insert(name=f"a{number_}").on_conflict(
                conflict_target=["name"], preserve=["balance"]
            )
        )
    assert 'ON CONFLICT ("name") DO UPDATE SET "balance" = EXCLUDED."balance"' in sql
    assert arguments[0] == "a2"
    assert renderer.hits


class Paper(Model):
    page = BinaryJSONField(null=True, index=False)
    plain = PlayhouseJSONField(null=True)
    own = BinaryJSONField(
        null=True, index=False, dumps=lambda value: json.dumps(value, default=str)
    )
    data = JSONField(null=True)


@pytest.mark.parametrize("value", [{"a": 1}, [1, 2], "text", 1.5, True])
@pytest.mark.parametrize(
    "make",
    [
        lambda value: Paper.insert(page=value, plain=value),
        lambda value: Paper.insert_many([{"page": value}, {"page": value}]),
        lambda value: Paper.update(page=value, plain=value),
        lambda value: Paper.select().where(Paper.page == Value(value, Paper.page.db_value, False)),
        lambda value: Paper.select().where(Paper.page.contains(value)),
        lambda value: Paper.select().where(Paper.page["a"].contains(value)),
        lambda value: Paper.update(page=Paper.page.concat(value)),
        lambda value: Paper.update(page=Paper.page["a"].set(value)),
        lambda value: Paper.update(plain=Case(None, [(Paper.id == 1, Value("x"))], Paper.plain)),
        lambda value: Paper.insert(own=value),
    ],
)
def test_playhouse_json_stays_an_object_for_the_codecs(make, value):
    renderer = Renderer()
    for _ in range(3):
        _, arguments = renderer.render(make(value))
        assert all(argument in (value, 1, True, "x") for argument in arguments)


def test_playhouse_json_is_stored_as_its_own_dumps_writes_it():
    renderer = Renderer()
    for day in (1, 2, 3):
        query = Paper.insert(own={"day": date(2024, 1, day)})
        assert renderer.render(query)[1] == ({"day": f"2024-01-0{day}"},)
        contained = Paper.select().where(Paper.own.contains({"day": date(2024, 1, day)}))
        assert renderer.render(contained)[1] == ({"day": f"2024-01-0{day}"},)


def test_shapes_with_playhouse_json_are_rendered_once():
    renderer = Renderer()
    for number_ in range(3):
        renderer.render(Paper.select().where(Paper.page.contains({"a": number_})))
        renderer.render(Paper.insert(page={"a": number_}))
    assert renderer.hits == 4


def test_none_within_a_document_is_null_of_json():
    for column in (Paper.page, Paper.data):
        sql, arguments = render(Paper.update({column: column["a"].set(None)}))
        assert "'null'::jsonb" in sql
        assert None not in arguments


@pytest.mark.parametrize(
    "make",
    [
        lambda: City.update(),
        lambda: City.update({}),
        lambda: City.update().where(City.id == 1),
        lambda: City.update({}).returning(City.id),
    ],
)
def test_an_update_without_columns_is_refused(make):
    for _ in range(2):
        with pytest.raises(ValueError, match=r"an UPDATE of City without columns.*if body"):
            render(make())


def test_an_insert_without_rows_is_refused():
    for _ in range(2):
        with pytest.raises(ValueError, match=r"an INSERT into City without rows.*if rows"):
            render(City.insert_many([]))
    assert render(City.insert())[0] == 'INSERT INTO "city" DEFAULT VALUES'


def test_sql_text_beside_a_condition_holds_together():
    either = SQL("owner = %s OR public", (7,))
    for _ in range(2):
        where = User.delete().where(User.id == 1).where(either)
        assert render(where) == (
            'DELETE FROM "users" WHERE (("users"."id" = $1) AND (owner = $2 OR public))',
            (1, 7),
        )
    nodes = peewee.NodeList((User.active, SQL("OR"), User.id == 2))
    flat = peewee.Expression(User.active, "OR", User.id == 3, flat=True)
    text, _ = render(User.select(User.id).where(nodes, flat, ~SQL("a OR b"), SQL("TRUE")))
    assert text.partition(" WHERE ")[2] == (
        '(((("t1"."active" OR ("t1"."id" = $1)) AND ("t1"."active" OR ("t1"."id" = $2))) '
        "AND NOT (a OR b)) AND TRUE)"
    )
