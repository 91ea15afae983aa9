"""What a caller can make grow: parameters, items, words and messages, each with its bound."""

import pytest

from msframework.filters import FilterReader
from msframework.models import Model, TextField
from tests.filters.posts import PostFilters
from tests.filters.rows import ThingFilters, parameters

COLUMNS = [f"column_name_{number}" for number in range(120)]
Wide = type("Wide", (Model,), {name: TextField(null=True) for name in COLUMNS})
LOAD = FilterReader(
    Wide,
    filters=dict.fromkeys(COLUMNS, ("in", "contains")),
    sort=COLUMNS,
    fields=COLUMNS,
    expand=("a", "b", "c"),
).compile()


def refusals(load, query):
    """Return what is refused of a query."""
    errors = {}
    assert load(parameters(query), errors) is None
    return errors["query"]


@pytest.mark.parametrize("name", ["sort", "fields", "expand"])
def test_the_first_wrong_name_of_a_list_is_told(name):
    """Each is compared with all that are known, and its message lists these."""
    wrong = ["comunl_name"] * (3 if name == "expand" else 120)

    found = refusals(LOAD, f"{name}={','.join(wrong)}")

    assert list(found[name]) == [0]
    assert len(str(found)) < 120 * 40


@pytest.mark.parametrize("items", [["red", *["x"] * 99], ["x"] * 100], ids=["some", "all"])
def test_a_list_is_read_up_to_the_fifth_wrong_item(items):
    found = refusals(ThingFilters.reader().compile(), f"colour__in={','.join(items)}")

    assert len(found["colour__in"]) == 5


@pytest.mark.parametrize("query", ["{0}__in={1}", "{0}__in=a&{0}__in={1}", "sort={1}"])
def test_a_list_has_no_more_items_than_it_may(query):
    many = query.format(COLUMNS[0], ",".join(["a"] * 5000))
    repeated = "&".join([query.format(COLUMNS[0], "a")] * 300)

    for each in (many, repeated) if "&" not in query else (repeated,):
        ((_, told),) = refusals(LOAD, each).items()
        assert str(told).startswith(("['Longer than maximum length", "{0:"))
        assert len(str(told)) < 6000


def test_a_filter_takes_a_hundred_values_at_most():
    query = "&".join(f"{name}__in={','.join(['a'] * 100)}" for name in COLUMNS)

    sql, args = LOAD(parameters(query), {}).where()
    assert len(args) == sql.count("$") == len(COLUMNS)
    assert sum(map(len, args)) == 100 * len(COLUMNS)


@pytest.mark.parametrize("operator", ["cotnains", "in"])
def test_no_more_than_a_hundred_parameters_are_refused(operator):
    known = ["=%00" if operator == "in" else "=x" for _ in COLUMNS]
    pairs = zip(COLUMNS, known, strict=True)

    assert len(refusals(LOAD, "&".join(f"{name}__{operator}{text}" for name, text in pairs))) == 100


def test_only_the_first_unknown_names_get_a_suggestion():
    query = "&".join(f"{name}__cotnains=x" for name in COLUMNS)

    assert str(refusals(LOAD, query)).count("Did you mean") == 5


def test_a_long_name_is_not_compared_whole():
    found = refusals(LOAD, "sort=" + "column_name" * 500)

    assert "Did you mean" not in str(found)


def test_ten_words_count_and_each_is_one_subselect_for_a_key():
    load = PostFilters.reader().compile()

    sql, args = load(parameters("q=" + "+".join("abcdefghijklmnopqrstuvwxyz")), {}).where()
    assert args == tuple(
        f"%{word}%" for word in "abcdefghij" for _ in range(4)
    )  # the title, two columns of the owner, and one of the parent's owner's city
    assert sql.count('"owner_id" IN') == 2 * 10
    assert refusals(load, "q=" + "a" * 201) == {"q": ["Longer than maximum length 200."]}


def test_filters_behind_one_key_are_no_more_than_those_that_are_declared():
    load = PostFilters.reader().compile()
    once = load(parameters("owner.full_name__in=a,b&owner.age__gte=1"), {}).where()
    many = "&".join(["owner.full_name__in=a"] * 100 + ["owner.age__gte=1"])

    assert load(parameters(many), {}).where()[0] == once[0]
    assert list(refusals(load, f"{many}&owner.full_name__in=a")) == ["owner.full_name__in"]
    assert refusals(load, "owner.age__gte=1&owner.age__gte=1") == {
        "owner.age__gte": ["Given 2 times, but takes one value."]
    }
    depth = "owner." * 2000
    assert load(parameters(f"{depth}full_name=x"), {}).where() == ("TRUE", ())
