"""What Sanic documents of its request, where ours reads more strictly."""

import asyncio
import gzip
import json
import random

import pytest
from sanic.compat import Header

from msframework.exceptions import (
    BadRequest,
    PayloadTooLarge,
    ServiceUnavailable,
    UnsupportedMediaType,
)
from msframework.inputs.encoding import decode_body
from msframework.serving.request import Request

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def make_request(make_service):
    service = make_service()

    def make(query="", body=b"", **headers):
        given = Header({name.replace("_", "-"): value for name, value in headers.items()})
        request = Request(f"/?{query}".encode(), given, "1.1", "POST", None, service)
        request.body = body
        return request

    return make


def test_a_query_string_is_read_leniently_by_those_who_ask_for_it(make_request):
    request = make_request("a=%FF&b=&c=%E9")

    assert request.get_args(errors="replace")["a"] == ["\ufffd"]
    assert request.get_args(encoding="latin-1")["c"] == ["é"]
    assert request.get_query_args(errors="ignore") == [("a", ""), ("c", "")]
    with pytest.raises(BadRequest):
        request.get_args()
    with pytest.raises(BadRequest):
        request.get_query_args()


def test_empty_values_are_kept_or_not(make_request):
    request = make_request("a=&b=1")
    assert request.args == {"b": ["1"]}
    assert request.get_args(keep_blank_values=True) == {"a": [""], "b": ["1"]}
    assert request.get_query_args(keep_blank_values=True) == [("a", ""), ("b", "1")]
    assert request.get_args() is request.args

    request = make_request(body=b"a=&b=1&b=", content_type=FORM)
    assert request.form == {"a": [""], "b": ["1", ""]}
    assert request.get_form(keep_blank_values=False) == {"b": ["1"]}


def test_what_is_no_form_has_no_fields(make_request):
    assert make_request(body=b"a=1").form == {}
    assert make_request(body=b"a=1", content_type="text/plain").files == {}


def test_a_malformed_form_is_malformed_each_time_it_is_read(make_request):
    request = make_request(body=b"a=%", content_type=FORM)

    for _ in range(2):
        with pytest.raises(BadRequest):
            _ = request.form
        with pytest.raises(BadRequest):
            _ = request.files


def test_json_may_be_read_by_another_reader(make_request):
    request = make_request(body=b'{"a": NaN}')

    assert str(request.load_json(loads=json.loads)) == "{'a': nan}"


async def test_decoding_lets_others_run_and_ends_where_there_is_no_room():
    body = gzip.compress(random.Random(1).randbytes(1_500_000).hex().encode(), 1)
    turns, held = [], []

    async def count():
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    def hold(size):
        held.append(size)
        if sum(held) > 500_000:
            raise ServiceUnavailable

    task = asyncio.create_task(count())
    with pytest.raises(PayloadTooLarge):
        await decode_body(body, "gzip", 2_000_000)
    task.cancel()
    with pytest.raises(ServiceUnavailable):
        await decode_body(body, "gzip", 10_000_000, hold)

    assert turns
    assert sum(held) < 600_000


@pytest.mark.parametrize("charset", ["utf-16", "ISO-8859-1", '"utf-7"'])
def test_json_in_another_charset_is_refused(make_request, charset):
    request = make_request(body=b"{}", content_type=f"application/json; charset={charset}")

    with pytest.raises(UnsupportedMediaType, match="send UTF-8"):
        _ = request.json
    assert make_request(body=b"{}", content_type="application/json; charset=UTF-8").json == {}
    assert make_request(body=b"{}", content_type="text/plain").json == {}
