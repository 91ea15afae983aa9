"""Query strings, headers and cookies over sockets."""

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

CUTS = ("one", "two", "bytes")
TWICE = "Given 2 times, but takes one value."


@pytest.mark.parametrize(
    "query", ["q=%FF", "q=%ED%A0%80", "q=%zz", "q=%", "q=1&%C3=1", "x=%C0%AF", "tags=%e", "=%FF"]
)
@pytest.mark.parametrize("path", ["/query", "/users-own", "/pages"])
async def test_a_malformed_query_string_is_refused(wire, path, query):
    for cut in CUTS:
        answer = await wire("GET", f"{path}?{query}", cut=cut)

        assert answer.status == 400
        assert answer.json["error"].startswith("the query string ")


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("", {}),
        ("q=", {"q": ""}),
        ("q", {"q": ""}),
        ("q=a+b%2B%C3%A9", {"q": "a b+é"}),
        ("q=%2541", {"q": "%41"}),
        ("%71=1", {"q": "1"}),
        ("tags=1&tags=&tags=a,b", {"tags": ["1", "", "a,b"]}),
        ("&&x=1&x=2&q=1;q=2&", {"q": "1;q=2"}),
    ],
)
async def test_a_parameter_arrives_as_it_was_sent(wire, query, data):
    for cut in CUTS:
        answer = await wire("GET", f"/query?{query}", cut=cut)

        assert answer.json == {"code": 0, "data": data}


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("q=1&q=2", {"q": [TWICE]}),
        ("q=1&q=1", {"q": [TWICE]}),
        ("q=1&%71=2", {"q": [TWICE]}),
        ("q=%00", {"q": ["Null characters are not allowed."]}),
        ("tags=%00&q=1&q=2", {"q": [TWICE], "tags": ["Null characters are not allowed."]}),
    ],
)
async def test_a_parameter_that_its_field_cannot_take_is_named(wire, query, error):
    for cut in CUTS:
        answer = await wire("GET", f"/query?{query}", cut=cut)

        assert (answer.status, answer.json["error"]) == (422, {"query": error})


async def test_a_query_string_has_so_many_parameters(wire):
    within = await wire("GET", "/query?" + "&".join(["x=1"] * 50))
    beyond = await wire("GET", "/query?" + "&".join(["x=1"] * 51))

    assert (within.status, beyond.status) == (200, 400)
    assert "more than 50 parameters" in beyond.json["error"]


async def test_sanics_own_ways_to_read_a_query_string_work(wire):
    answer = await wire("GET", "/users-own?a=1&b=&a=%C3%A9")

    data = answer.json["data"]
    assert (data["args"], data["pairs"]) == ({"a": ["1", "é"]}, [["a", "1"], ["a", "é"]])


@pytest.mark.parametrize(
    ("lines", "data"),
    [
        (["X-Token: a, b"], {"x_token": "a, b"}),
        (["X-Tags: a, b,", "X-TAGS: c"], {"x_tags": ["a", "b", "c"]}),
        (["Accept: a/b", "Accept: c/d;q=1"], {"accept": "a/b, c/d;q=1"}),
        (["X-Other: 1", "X-Other: 2"], {}),
    ],
)
async def test_a_header_arrives_as_it_was_sent(wire, lines, data):
    for cut in CUTS:
        answer = await wire("GET", "/headers", *lines, cut=cut)

        assert answer.json == {"code": 0, "data": data}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["X-Token: 1", "x-token: 1"], TWICE),
        (["X-Token: caf\xe9"], "Not a valid utf-8 string."),
    ],
)
async def test_a_header_that_its_field_cannot_take_is_named(wire, lines, message):
    for cut in CUTS:
        answer = await wire("GET", "/headers", *lines, cut=cut)

        assert (answer.status, answer.json["error"]) == (422, {"headers": {"x_token": [message]}})


@pytest.mark.parametrize(
    ("lines", "data"),
    [
        (["Cookie: a=1; b=2"], {"a": "1", "b": ["2"]}),
        (["Cookie: a=1", "Cookie: b=2", "COOKIE: b=3"], {"a": "1", "b": ["2", "3"]}),
        (["Cookie: a=; x=1; x=2"], {"a": ""}),
        (["Cookie: __Host-a=1"], {}),
        (["Cookie: __Host-a=1; a=2"], {"a": "2"}),
        (["Cookie: ;;"], {}),
    ],
)
async def test_cookies_arrive_from_all_lines(wire, lines, data):
    for cut in CUTS:
        answer = await wire("GET", "/cookies", *lines, cut=cut)

        assert answer.json == {"code": 0, "data": data}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["Cookie: a=1; a=2"], TWICE),
        (["Cookie: a=1", "Cookie: a=1"], TWICE),
        (["Cookie: a=\xe9"], "Not a valid utf-8 string."),
    ],
)
async def test_a_cookie_that_its_field_cannot_take_is_named(wire, lines, message):
    for cut in CUTS:
        answer = await wire("GET", "/cookies", *lines, cut=cut)

        assert (answer.status, answer.json["error"]) == (422, {"cookies": {"a": [message]}})


async def test_handlers_read_the_cookies_of_all_lines(wire):
    answer = await wire("GET", "/users-own", "Cookie: a=1", "Cookie: b=2; a=3")

    assert answer.json["data"]["cookies"] == {"a": ["1", "3"], "b": ["2"]}


async def test_there_are_so_many_cookies(wire):
    answer = await wire("GET", "/cookies", "Cookie: " + "; ".join(["a=1"] * 51))

    assert answer.status == 400
