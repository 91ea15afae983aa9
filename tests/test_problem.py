"""A problem is printed as one paragraph, and keeps its parts."""

import copy
import pickle

import pytest

from msframework import ImproperlyConfigured
from msframework.problem import Problem


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("a.py:3", "it is twice"), "a.py:3: it is twice."),
        (("a.py:3", "it is twice", "", "Drop one."), "a.py:3: it is twice. Drop one."),
        (("A", "A is 1", "a text", "Write 'a'."), "A: A is 1; expected a text. Write 'a'."),
        (("", "whatever somebody said"), "whatever somebody said"),
    ],
)
def test_the_parts_are_one_paragraph(parts, text):
    problem = Problem(*parts)

    assert problem == text
    assert (problem.where, problem.found) == parts[:2]
    assert not problem.mendable


def test_it_may_be_copied_and_sent():
    problem = Problem("a.py:3", "it is twice", advice="Drop one.", mendable=True)

    for other in (copy.copy(problem), pickle.loads(pickle.dumps(problem))):
        assert other == problem
        assert (other.advice, other.mendable) == ("Drop one.", True)


def test_its_cause_is_that_of_the_error():
    cause = KeyError("a")

    error = ImproperlyConfigured.of([Problem("A", "it is wrong"), Problem.caused(cause, "no a")])

    assert error.problems == ("A: it is wrong.", "no a")
    assert error.__cause__ is cause
