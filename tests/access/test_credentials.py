"""The Authorization header: one, well formed, bounded; anything else is a 401."""

import pytest
from sanic.compat import Header

from msframework.access.credentials import MAX_CREDENTIALS, read_authorization
from msframework.exceptions import Unauthorized
from msframework.serving.request import Request
from tests.access.tokens import request_with


def test_no_header_is_no_credentials():
    assert read_authorization(request_with()) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Bearer abc", ("bearer", "abc")),
        ("BASIC   YTpi", ("basic", "YTpi")),
        ('Digest username="a b",\trealm="x"', ("digest", 'username="a b",\trealm="x"')),
        ("x-own!#$ =", ("x-own!#$", "=")),
    ],
)
def test_scheme_and_value_are_told_apart(value, found):
    assert read_authorization(request_with(value)) == found


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        " Bearer abc",
        "Bearer\tabc",
        "Bearer abc ",
        "Bearer ab\x00c",
        "Bearer ab\x7fc",
        "Bearer abc\r\nx: y",
        "Bearer äbc",
        "Béarer abc",
        "Bearer \u2028abc",
        "Bearer ab\udcffc",
        "Be,arer abc",
        "(Bearer) abc",
        "Bearer: abc",
        "=",
    ],
)
def test_a_malformed_header_is_refused(value):
    with pytest.raises(Unauthorized) as refused:
        read_authorization(request_with(value))

    assert "malformed" in refused.value.error
    assert "abc" not in refused.value.error


def test_two_headers_are_refused_however_they_are_written():
    headers = Header([("Authorization", "Bearer a"), ("accept", "*/*"), ("authorization", "B a")])

    with pytest.raises(Unauthorized, match="more than one"):
        read_authorization(Request(b"/", headers, "1.1", "GET", None, None))


def test_another_header_may_stand_twice():
    headers = Header([("accept", "a/b"), ("authorization", "Bearer a"), ("accept", "c/d")])

    assert read_authorization(Request(b"/", headers, "1.1", "GET", None, None)) == ("bearer", "a")


def test_the_length_is_bounded():
    value = "Bearer " + "a" * (MAX_CREDENTIALS - 7)

    assert read_authorization(request_with(value)) == ("bearer", value[7:])
    with pytest.raises(Unauthorized, match="longer than 8192"):
        read_authorization(request_with(value + "a"))
