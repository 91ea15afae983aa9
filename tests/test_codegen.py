"""Generated functions: each with its own name, file and source, though their code is shared."""

import sys
import traceback

import pytest

from msframework._codegen import _compile, _read, compile_function

SOURCE = '''def {name}(rows, least=1):
    """Return the rows that are large enough."""
    return [row for row in rows if limit(row) >= least]
'''


def build(name, limit=int):
    """Return a function called *name* that applies *limit*."""
    return compile_function(name, SOURCE.format(name=name), {"limit": limit})


def test_two_functions_that_are_alike_are_compiled_once():
    _read.cache_clear()
    _compile.cache_clear()

    first, second = build("keep_large", int), build("keep_long", len)

    assert first([0, 1, 2]) == [1, 2]
    assert second(["", "a"]) == ["a"]
    assert _compile.cache_info().misses == 1


@pytest.mark.parametrize("name", ["keep_large", "keep_long"])
def test_a_function_has_its_own_name(name):
    function = build(name)

    assert (function.__name__, function.__qualname__) == (name, name)
    assert function.__code__.co_filename == f"<msframework {name}>"
    assert function.__doc__ == "Return the rows that are large enough."


def test_a_traceback_shows_each_function_under_its_own_name():
    build("keep_other")
    function = build("keep_broken")

    with pytest.raises(ValueError, match="invalid literal") as caught:
        function(["x"])

    text = "".join(traceback.format_exception(caught.value))
    assert 'File "<msframework keep_broken>", line 3, in keep_broken' in text
    if sys.version_info < (3, 12):  # PEP 709: later ones run a comprehension in its function
        assert 'File "<msframework keep_broken>", line 3, in <listcomp>' in text
    assert "return [row for row in rows if limit(row) >= least]" in text
    assert "_generated_" not in text


def test_a_function_finds_itself_and_nothing_else_by_its_name():
    namespace = {}
    source = "def count_down(n):\n    return n and count_down(n - 1)\n"

    assert compile_function("count_down", source, namespace)(3) == 0
    assert namespace.keys() == {"count_down", "__builtins__"}


@pytest.mark.parametrize("name", ["a b", "1st", "class", "f(); import os"])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match="cannot be the name"):
        compile_function(name, "", {})
