import pytest

from msframework.migrations.naming import clip, mentioned, name_object


@pytest.mark.parametrize(
    ("table", "columns", "label", "taken", "name"),
    [
        ("users", (), "pkey", (), "users_pkey"),
        ("users", ("a", "b"), "key", (), "users_a_b_key"),
        ("users", ("a",), "check", ("users_a_check",), "users_a_check1"),
        ("users", ("a",), "check", ("users_a_check", "users_a_check1"), "users_a_check2"),
        ("t" * 60, (), "pkey", (), "t" * 58 + "_pkey"),
        ("t" * 40, ("c" * 40,), "fkey", (), "t" * 29 + "_" + "c" * 28 + "_fkey"),
        ("t", ("c" * 70, "d"), "idx", (), "t_" + "c" * 57 + "_idx"),
        ("ü" * 30, ("c",), "key", (), "ü" * 28 + "_c_key"),
    ],
)
def test_a_name_is_the_one_that_the_server_makes(table, columns, label, taken, name):
    assert name_object(table, columns, label, taken) == name


def test_a_name_is_clipped_between_characters():
    assert clip("ü" * 40) == "ü" * 31
    assert clip("short") == "short"


@pytest.mark.parametrize(
    ("expression", "columns"),
    [
        ("age > 0 AND age < 9", ["age"]),
        ('"Age" > 0', ["Age"]),
        ("Age > 0", ["age"]),
        ("users.age > 0", ["age"]),
        ("name = 'age'", ["name"]),
        ("date(age) > '2024-01-01'::date", ["age"]),
        ("CAST(age AS date) > date", ["age", "date"]),
        ("$$age$$ <> name", ["name"]),
        ("true", []),
    ],
)
def test_the_columns_of_an_expression_are_found(expression, columns):
    assert mentioned(expression, ["age", "Age", "date", "name", "users"]) == columns
