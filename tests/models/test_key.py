import pytest

from msframework.models import SQL, CharField, IntegerField, Model
from msframework.models.key import RowKey, describe_wanted


class Pair(Model):
    a = IntegerField()
    b = IntegerField()
    c = CharField(unique=True)

    class Meta:
        indexes = ((("a", "b"), True), (("b",), False))


class Indexed(Model):
    a = IntegerField()
    b = IntegerField()


Indexed.add_index(Indexed.a, Indexed.b, unique=True)
Indexed.add_index(Indexed.b, unique=True, where=Indexed.a > 0)
Indexed.add_index(SQL("CREATE UNIQUE INDEX one ON indexed (a)"))


@pytest.mark.parametrize(
    ("model", "key", "name"),
    [
        (Pair, 1, "Pair with id 1"),
        (Pair, {"id": 1}, "Pair with id 1"),
        (Pair, {"c": "x" * 200}, f"Pair with c '{'x' * 99}…"),
        (Pair, {"a": 1, Pair.b: 2}, "Pair with a 1, b 2"),
        (Pair, {"id": 1, "b": 2}, "Pair with id 1, b 2"),
        (Indexed, {"a": 1, "b": 2}, "Indexed with a 1, b 2"),
    ],
    ids=["id", "id-by-name", "unique", "pair", "more", "index"],
)
def test_a_key_is_named(model, key, name):
    assert str(RowKey(model, key)) == name


@pytest.mark.parametrize(
    ("model", "key"),
    [(Pair, {"a": 1}), (Pair, {"b": 1}), (Pair, {}), (Indexed, {"b": 1}), (Indexed, {"a": 1})],
    ids=["part", "index", "none", "partial", "sql"],
)
def test_what_several_rows_may_have_is_no_key(model, key):
    with pytest.raises(ValueError, match=r"several rows of \w+ may have the same"):
        RowKey(model, key)


def test_a_field_of_another_model_is_refused():
    with pytest.raises(ValueError, match="Pair has no field 'b'"):
        RowKey(Pair, {Indexed.b: 1})


def test_a_query_of_no_model_asks_for_nothing_with_a_name():
    assert describe_wanted("SELECT 1") is None
    assert describe_wanted(SQL("1")) is None
    assert describe_wanted(Pair.select().where(SQL("true"))) == "Pair"
