"""`SERVICES`: every mistake in every entry is named with its path."""

from pathlib import Path

import pytest

from msframework.conf.findings import Findings
from msframework.conf.services import read_services
from msframework.types import UNSET


def faults(value):
    """Return the complaints about *value*."""
    findings = Findings()
    assert read_services(value, "here", findings) is UNSET
    assert findings.names == {"SERVICES"}
    return findings.problems


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, "SERVICES['a']['url'] is missing"),
        ({"url": ""}, "SERVICES['a']['url'] is missing"),
        ({"url": 5}, "SERVICES['a']['url'] is of type int"),
        ({"url": "a:8000"}, "SERVICES['a']['url'] is 'a:8000'"),
        ({"url": "http://"}, "SERVICES['a']['url'] is 'http://'"),
        ({"url": "http://a:port"}, "cannot be read"),
        ({"url": "http://u:p@a"}, "with a user name or password in it"),
        ({"url": "http://a?x=1"}, "with a query or fragment"),
        ({"url": "http://a", "total_timeout": 0}, "['total_timeout'] is 0"),
        ({"url": "http://a", "connect_timeout": True}, "['connect_timeout'] is True"),
        ({"url": "http://a", "total_timeout": float("inf")}, "['total_timeout'] is inf"),
        ({"url": "http://a", "limit": 0}, "['limit'] is 0"),
        ({"url": "http://a", "limit": 2.0}, "['limit'] is 2.0"),
        ({"url": "http://a", "headers": {"X": 1}}, "['headers'] is"),
        ({"url": "https://a", "ca": 5}, "['ca'] is a value that is not shown"),
        ({"url": "https://a", "ca": ""}, "['ca'] is a value that is not shown"),
        ({"url": "https://a", "ca": "-----BEGIN C"}, "expected the path of a file in PEM"),
        ({"url": "https://a", "cert": "a.pem"}, "['cert'] is set, and 'key' is not"),
        ({"url": "https://a", "key": "a.pem"}, "['key'] is set, and 'cert' is not"),
        ({"url": "http://a", "ca": "a.pem"}, "does not begin with https://"),
        ({"url": "http://a", "uri": "x"}, "Did you mean url?"),
        (["http://a"], "SERVICES['a'] is a value that is not shown (type list)"),
        (None, "SERVICES['a'] is None"),
    ],
)
def test_a_wrong_entry_is_named(entry, said):
    (problem,) = faults({"a": entry})

    assert problem.startswith("here: SERVICES['a']")
    assert said in problem


def test_all_entries_are_looked_at():
    assert len(faults({"a": "ftp://a", "b": "http://b", 5: "http://c", "": "http://d"})) == 3


def test_only_a_dict_will_do():
    (problem,) = faults(["http://a"])

    assert "expected a dict of services by name" in problem


def test_headers_are_kept_and_cannot_be_changed():
    findings = Findings()

    entries = read_services({"a": {"url": "http://a", "headers": {"K": "v"}}}, "here", findings)

    assert entries["a"].headers == {"K": "v"}
    with pytest.raises(TypeError):
        entries["a"].headers["K"] = "w"


def test_files_may_be_paths():
    entry = {"url": "https://a", "ca": Path("/ca.pem"), "cert": None}

    read = read_services({"a": entry}, "here", Findings())["a"]

    assert (read.ca, read.cert, read.key) == ("/ca.pem", None, None)
