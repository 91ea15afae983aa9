import pytest

from msframework.migrations.scanner import Scanner, Unreadable, tidy


def test_key_words_are_read_in_either_case_and_names_as_postgresql_reads_them():
    scanner = Scanner('Not NULL Shop."Or""der" -- a comment\n "not"')

    assert scanner.accept("not null")
    assert not scanner.accept("null")
    assert scanner.qualified() == ("shop", 'Or"der')
    assert not scanner.sees("not")  # it is a name
    assert scanner.identifier() == "not"
    assert scanner.done
    scanner.finish()


def test_commas_and_words_count_outside_of_parentheses_and_texts_only():
    assert Scanner("a, f(b, c), 'd, e', \"g,h\", x[1, 2]").items() == (
        "a",
        "f(b, c)",
        "'d, e'",
        '"g,h"',
        "x[1, 2]",
    )
    assert Scanner("(a check) check b").until("check") == "(a check)"
    assert Scanner("(a, (b), ')')").enclosed() == "a, (b), ')'"
    assert Scanner("").items() == ()


def test_a_text_is_tidy_without_needless_quotes_and_spaces():
    assert tidy('  ("age"  >\n 3) AND "Name" <> \'"x"  y\' /* old */ ') == (
        '(age > 3) AND "Name" <> \'"x"  y\''
    )
    assert tidy("  ") == ""


@pytest.mark.parametrize(
    ("text", "read", "message"),
    [
        ("(a", Scanner.enclosed, "a parenthesis is not closed"),
        ("f(a", Scanner.until, "a parenthesis is not closed"),
        ("a, , b", Scanner.items, "a comma has nothing beside it"),
        ("a,", Scanner.items, "a comma has nothing beside it"),
        ("'a'", Scanner.identifier, 'where a name should'),
        ("", Scanner.identifier, "the end stands where a name should"),
        ("a", Scanner.enclosed, r"'a' stands where \( should"),
        ("a", Scanner.finish, "'a' cannot be read there"),
    ],
)  # fmt: skip
def test_what_is_not_as_expected_is_named(text, read, message):
    with pytest.raises(Unreadable, match=message):
        read(Scanner(text))
