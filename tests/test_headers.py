"""Headers of an answer's own and of every answer: merged by each field's rule, on both paths."""

import asyncio
import random
from email.utils import parsedate_to_datetime
from typing import ClassVar

import pytest
from multidict import CIMultiDict
from sanic import response as sanic_response
from sanic.exceptions import SanicException

from msframework import NotFound, Reply, ServiceException, doc
from msframework.exceptions import ImproperlyConfigured
from msframework.headers import OwnHeaders, merge, unite

OWN = {
    "Content-Type": ["text/csv", "application/vnd.api+json"],
    "content-type": ["text/plain; charset=utf-8"],
    "Access-Control-Allow-Origin": ["*", "https://b.example"],
    "Vary": ["Accept-Language", "origin, Accept", "*", "ORIGIN", ["Accept", "Origin", "accept"]],
    "Location": ["/things/1"],
    "Link": ['</a>; rel="x, y"', ["</a>; rel=a", "</b>; rel=b"]],
    "Set-Cookie": ["a=1; Path=/", ["a=1", "b=2"]],
    "Cache-Control": ["no-store", "max-age=60"],
    "Allow": ["GET, HEAD"],
    "ETag": ['"abc"', 'W/"x"'],
    "X-Count": [7, 0],
    "X-Name": ["é", "\udce9", "a\tb", "", " spaced "],
    "X-Request-ID": ["mine"],
    "Date": ["Tue, 14 Nov 2023 22:13:20 GMT"],
    "Retry-After": [3],
}
ORIGIN = "Origin: https://a.example\r\n"
WRONG = [
    {"Content-Length": "3"},
    {"content-length": 3},
    {"Transfer-Encoding": "chunked"},
    {"Connection": "close"},
    {"Keep-Alive": "timeout=5"},
    {"Trailer": "X-A"},
    {"Upgrade": "h2c"},
    {"TE": "trailers"},
    {"Proxy-Connection": "close"},
    {"X-A": "a\r\nX-B: b"},
    {"X-A": "a\rb"},
    {"X-A": "a\nb"},
    {"X-A": "a\x00b"},
    {"X-A": "a\x7fb"},
    {"X-A": "a\x1bb"},
    {"X-A": "\ud800"},
    {"X-A": None},
    {"X-A": True},
    {"X-A": 1.5},
    {"X-A": b"bytes"},
    {"X-A": {"a": "b"}},
    {"X-A": ["a", None]},
    {"X A": "b"},
    {"X-A:": "b"},
    {"X-A\r\nX-B": "b"},
    {"": "b"},
    {"X-é": "b"},
    {5: "b"},
    {"Content-Type": ["a/b", "c/d"]},
    {"ETag": '"a"', "etag": '"b"'},
    [("X-A", "b")],
]


def draw(seed):
    """Return headers that a method may give, the same for the same *seed*."""
    dice = random.Random(seed)
    return {name: dice.choice(OWN[name]) for name in dice.sample(list(OWN), dice.randint(0, 6))}


def unclashing(headers):
    """Leave out a name that stands there in two spellings."""
    return {name.lower(): value for name, value in headers.items()}


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def service(request, make_service):
    return make(make_service, request.param)


def make(make_service, fast, origin="https://a.example"):
    service = make_service(
        service_name="fast" if fast else "sanic",
        server={"fast_path": fast, "cors_origins": (origin,) if origin else ()},
    )

    @service.get("/reply/<seed:int>")
    async def reply(request, seed):
        return Reply({"seed": seed}, headers=unclashing(draw(seed)))

    @service.get("/raise/<seed:int>")
    async def fail(request, seed):
        raise NotFound(headers=unclashing(draw(seed)))

    @service.get("/multi")
    async def multi(request):
        return Reply(1, headers=CIMultiDict([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]))

    @service.get("/wrong/<number:int>")
    async def wrong(request, number):
        return Reply({}, headers=WRONG[number])

    @service.get("/raise-wrong/<number:int>")
    async def raise_wrong(request, number):
        raise NotFound(headers=WRONG[number])

    return service


async def exchange(address, *requests):
    """Send *requests* on one connection; return the raw answers, each with a head and a body."""
    reader, writer = await asyncio.open_connection(*address)
    answers = []
    for request in requests:
        method, _, path = request.rpartition(" ")
        writer.write(f"{method or 'GET'} {path} HTTP/1.1\r\nHost: x\r\n{ORIGIN}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")[:-2]
        fields = [tuple(line.split(": ", 1)) for line in lines]
        lengths = [int(value) for name, value in fields if name.lower() == "content-length"]
        assert len(lengths) <= 1
        body = await reader.readexactly(lengths[0] if lengths and method != "HEAD" else 0)
        answers.append((status, fields, body))
    writer.close()
    return answers


def values(fields, name):
    return [value for key, value in fields if key.lower() == name]


def comparable(answer):
    """Return an answer without its order, and without ids and times of its own."""
    status, fields, body = answer
    kept = []
    for name, value in fields:
        if name.lower() == "x-trace-id":
            continue
        if name.lower() == "date":
            parsedate_to_datetime(value)
            value = "some time" if "2023" not in value else value
        if name.lower() == "x-request-id" and value != "mine":
            value = "some id"
        kept.append((name.lower(), value))
    return status, sorted(kept), body


@pytest.mark.parametrize("origin", ["https://a.example", "*", None])
@pytest.mark.parametrize("kind", ["reply", "raise"])
async def test_both_paths_send_the_same_head(make_service, serve, kind, origin):
    paths = [f"/{kind}/{seed}" for seed in range(120)]
    found = []
    for fast in (True, False):
        async with serve(make(make_service, fast, origin)) as address:
            found.append([comparable(one) for one in await exchange(address, *paths)])

    assert found[0] == found[1]
    for number, (_, fields, _) in enumerate(found[0]):
        own = unclashing(draw(number))
        names = [name for name, _ in fields]
        for name in ("content-type", "access-control-allow-origin", "date", "x-request-id"):
            if name != "access-control-allow-origin" or origin is not None or name in own:
                assert names.count(name) == 1
            if name in own:
                assert (name, own[name]) in fields
        if origin in ("*", None):
            assert len(values(fields, "vary")) == ("vary" in own)
            continue
        (vary,) = values(fields, "vary")
        given = own.get("vary", "")
        if given == "*":
            assert vary == "*"
        else:
            members = [member.strip().lower() for member in vary.split(",")]
            assert members[0] == "origin"
            assert len(set(members)) == len(members)
        cookies = own.get("set-cookie", [])
        assert values(fields, "set-cookie") == ([cookies] if isinstance(cookies, str) else cookies)


async def test_a_header_that_cannot_be_sent_is_a_logged_500(service, serve, caplog):
    async with serve(service) as address:
        for number in range(len(WRONG)):
            caplog.clear()
            paths = (f"/wrong/{number}", f"/raise-wrong/{number}", "/multi")
            check_wrong(service, number, await exchange(address, *paths), caplog)


def check_wrong(service, number, answers, caplog):
    """Hold that the first two of *answers* are of failures that name the wrong header."""
    assert [status for status, _, _ in answers] == [
        "HTTP/1.1 500 Internal Server Error",
        "HTTP/1.1 500 Internal Server Error",
        "HTTP/1.1 200 OK",
    ]
    assert not any(values(fields, "x-a") or values(fields, "x-b") for _, fields, _ in answers)
    first, second = [record for record in caplog.records if record.name == "msframework.errors"]
    assert "wrong" in str(first.exc_info[1])
    assert f"NotFound, raised in {service.name}.raise_wrong" in str(second.exc_info[1])
    if isinstance(WRONG[number], dict):
        assert repr(next(reversed(WRONG[number]))).lower() in str(first.exc_info[1]).lower()


async def test_one_header_may_stand_on_several_lines(service, serve):
    async with serve(service) as address:
        ((_, fields, _),) = await exchange(address, "/multi")

    assert values(fields, "set-cookie") == ["a=1", "b=2"]


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def foreign(request, make_service):
    """Return a service whose handlers answer with what is Sanic's."""
    service = make_service(
        server={"fast_path": request.param, "cors_origins": ("https://a.example",)}
    )

    @service.get("/plain/<name:str>")
    async def plain(request, name):
        headers = {
            "vary": {"vary": "Accept-Language"},
            "origin": {"Access-Control-Allow-Origin": "*"},
            "close": {"Connection": "keep-alive, Close"},
            "hop": {"Transfer-Encoding": "chunked", "Keep-Alive": "timeout=5", "TE": "x"},
            "length": {"Content-Length": "999"},
            "date": {"Date": "Tue, 14 Nov 2023 22:13:20 GMT"},
            "split": {"X-A": "a\r\nX-B: b"},
            "list": {"X-A": ["a"]},
            "name": {"X A": "b"},
            "gzip": {"Transfer-Encoding": "gzip"},
            "odd": {"Content-Length": "x"},
        }[name]
        return sanic_response.text("hello", headers=headers)

    @service.get("/type")
    async def content_type(request):
        return sanic_response.text("x", content_type="text/plain\r\nX-B: b")

    @service.get("/cookie")
    async def cookie(request):
        answer = sanic_response.text("x")
        answer.add_cookie("a", "1")
        answer.add_cookie("b", "2")
        return answer

    @service.get("/late")
    async def late(request):
        answer = await request.respond(content_type="text/plain")
        answer.headers["X-A"] = "a\r\nX-B: b"
        await answer.send("x")

    @service.get("/longer")
    async def longer(request):
        answer = await request.respond(headers={"Content-Length": "2"})
        await answer.send("abc")

    @service.get("/raised")
    async def raised(request):
        raise SanicException("x", 429, headers={"Connection": "close", "Retry-After": 7})

    return service


async def test_sanics_responses_are_merged_by_the_same_rules(foreign, serve):
    async with serve(foreign) as address:
        vary, origin, hop, length, date, cookie, raised = await exchange(
            address,
            *(f"/plain/{name}" for name in ("vary", "origin", "hop", "length", "date")),
            "/cookie",
            "/raised",
        )

    assert values(vary[1], "vary") == ["Origin, Accept-Language"]
    assert values(origin[1], "access-control-allow-origin") == ["*"]
    for name in ("transfer-encoding", "te"):
        assert values(hop[1], name) == []
    assert hop[2] == length[2] == b"hello"
    assert values(date[1], "date") == ["Tue, 14 Nov 2023 22:13:20 GMT"]
    assert len(values(cookie[1], "set-cookie")) == 2
    assert raised[0].startswith("HTTP/1.1 429")
    assert values(raised[1], "connection") == ["close"]
    assert values(raised[1], "retry-after") == ["7"]
    for _, fields, _ in (vary, origin, hop, length, date, cookie, raised):
        assert len(values(fields, "date")) == 1
        assert len(values(fields, "connection")) == 1


async def test_a_response_of_sanics_may_close_the_connection(foreign, serve):
    async with serve(foreign) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /plain/close HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()

    assert b"\r\nconnection: close\r\n" in answer
    assert answer.endswith(b"hello")


@pytest.mark.parametrize(
    "path",
    [
        *(f"/plain/{name}" for name in ("split", "list", "name", "gzip", "odd")),
        "/type",
        "/late",
        "/longer",
    ],
)
async def test_a_wrong_header_of_sanics_response_is_a_logged_500(foreign, serve, caplog, path):
    async with serve(foreign) as address:
        answers = await exchange(address, path, "/plain/vary")

    assert answers[0][0].startswith("HTTP/1.1 500")
    assert b'"code":100500' in answers[0][2]
    assert not values(answers[0][1], "x-b")
    assert answers[1][2] == b"hello"
    (record,) = [record for record in caplog.records if record.name == "msframework.errors"]
    assert record.exc_info


async def test_a_streamed_answer_has_a_date_and_keeps_its_vary(service, serve):
    @service.get("/stream")
    async def stream(request):
        answer = await request.respond(content_type="text/plain", headers={"Vary": "Accept"})
        await answer.send("x")
        await answer.eof()

    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        writer.close()

    assert "\r\ndate: " in head
    assert "\r\nvary: origin, accept\r\n" in head


async def test_an_exception_handlers_wrong_header_is_a_logged_500(service, serve, caplog):
    @service.exception(ZeroDivisionError)
    async def handle(request, exc):
        return sanic_response.text("zero", headers={"X-A": "a\r\nX-B: b"})

    @service.get("/zero")
    async def zero(request):
        return 1 / 0

    @service.get("/zero-stream", stream=True)
    async def zero_stream(request):
        return 1 / 0

    async with serve(service) as address:
        answers = await exchange(address, "/zero", "/zero-stream", "/multi")

    assert [status.split()[1] for status, _, _ in answers] == ["500", "500", "200"]
    assert not any(values(fields, "x-a") or values(fields, "x-b") for _, fields, _ in answers)
    failures = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
    said = "a handler of exceptions: the value of the header 'X-A'"
    assert sum(failure.startswith(said) for failure in failures) == 2


async def test_an_answer_without_a_type_has_one(service, serve):
    @service.get("/untyped")
    async def untyped(request):
        return sanic_response.HTTPResponse(b"x")

    async with serve(service) as address:
        ((_, fields, _),) = await exchange(address, "/untyped")

    assert values(fields, "content-type") == ["application/octet-stream"]


async def test_middleware_adds_headers_by_the_same_rules(service, serve, caplog):
    @service.on_response
    async def add(request, response):
        response.headers.update(headers)

    async with serve(service) as address:
        headers = {"Vary": "Accept-Language", "Connection": "keep-alive", "X-Count": 3}
        ((good, fields, _),) = await exchange(address, "/multi")
        headers = {"X-A": "a\r\nX-B: b"}
        ((bad, wrong, _),) = await exchange(address, "/multi")

    assert good.startswith("HTTP/1.1 200")
    assert values(fields, "vary") == ["Origin, Accept-Language"]
    assert values(fields, "x-count") == ["3"]
    assert values(fields, "set-cookie") == ["a=1", "b=2"]
    assert len(values(fields, "connection")) == 1
    assert bad.startswith("HTTP/1.1 500")
    assert values(wrong, "x-b") == []
    assert "'X-A'" in caplog.text


class Framed(ServiceException):
    """An exception whose class brings a header that no answer may set."""

    status_code = 409
    headers: ClassVar = {"Content-Length": "0"}


def test_a_declared_exception_with_a_wrong_header_is_refused_at_startup(make_service):
    service = make_service()

    @service.get("/")
    @doc.raises(Framed)
    async def one(request): ...

    with pytest.raises(ImproperlyConfigured, match=r"Framed: the header 'Content-Length' belongs"):
        service.compile()


STATUSES = (99, 100, 101, 199, 600, 1000, 0, -1)


async def test_a_status_that_no_answer_has_is_a_logged_500(service, serve, caplog):
    @service.get("/reply-with/<number:int>")
    async def reply_with(request, number):
        return Reply({}, status=STATUSES[number])

    @service.get("/raise-with/<number:int>")
    async def raise_with(request, number):
        raise ServiceException(status_code=STATUSES[number])

    async with serve(service) as address:
        for number, status in enumerate(STATUSES):
            caplog.clear()
            paths = (f"/reply-with/{number}", f"/raise-with/{number}", "/multi")
            answers = await exchange(address, *paths)

            found = [answer[0].split()[1] for answer in answers]
            assert found == ["500", "500", "200"], status
            names = [record.name for record in caplog.records]
            assert names.count("msframework.errors") == 2, status


STATUSES_OF_SANIC = (700, 600, 999, 1000, 0, -1, 199, "200", None)


async def test_a_status_of_sanics_response_that_no_answer_has_is_a_logged_500(
    service, serve, caplog
):
    @service.get("/text/<number:int>")
    async def text(request, number):
        return sanic_response.text("x", status=STATUSES_OF_SANIC[number])

    @service.get("/begun/<number:int>")
    async def begun(request, number):
        answer = await request.respond(status=STATUSES_OF_SANIC[number])
        await answer.send("x")

    @service.get("/handler/<number:int>")
    async def fails(request, number):
        raise LookupError(number)

    @service.exception(LookupError)
    async def handle(request, exception):
        return sanic_response.text("x", status=STATUSES_OF_SANIC[exception.args[0]])

    async with serve(service) as address:
        for number, status in enumerate(STATUSES_OF_SANIC):
            for kind in ("text", "begun", "handler"):
                caplog.clear()
                answers = await exchange(address, f"/{kind}/{number}", "/multi")

                found = [answer[0].split()[1] for answer in answers]
                assert found == ["500", "200"], (kind, status)
                errors = [one for one in caplog.records if one.name == "msframework.errors"]
                (record,) = errors
                assert "expected 200 to 599" in str(record.exc_info[1]), (kind, status)


@pytest.mark.parametrize("value", ["close", "Close", "x, close"])
async def test_an_exception_of_sanics_may_close_the_connection(service, serve, value):
    @service.get("/teapot")
    async def teapot(request):
        raise SanicException("x", 418, headers={"Connection": value, "X-A": "b"})

    @service.get("/bug")
    async def bug(request):
        raise SanicException("x", headers={"Connection": value})

    @service.get("/kept")
    async def kept(request):
        raise SanicException("x", 418, headers={"Connection": "keep-alive"})

    async with serve(service) as (host, port):
        for path, status in (("teapot", b"418"), ("bug", b"500")):
            reader, writer = await asyncio.open_connection(host, port)
            for asked in ("kept", path):
                writer.write(f"GET /{asked} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                if asked == "kept":
                    head = await reader.readuntil(b"\r\n\r\n")
                    assert b"\r\nconnection: keep-alive\r\n" in head
                    size = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
                    await reader.readexactly(size)
            answer = await asyncio.wait_for(reader.read(), 30)
            writer.close()
            assert answer.startswith(b"HTTP/1.1 " + status)
            assert answer.lower().count(b"\r\nconnection: close\r\n") == 1
            assert answer.endswith(b"}")
            assert path == "bug" or b"\r\nx-a: b\r\n" in answer.lower()


@pytest.mark.parametrize("status", [204, 205, 304])
async def test_some_statuses_have_no_body(service, serve, status):
    @service.get("/reply")
    async def reply_with(request):
        return Reply(None, status=status, headers={"Vary": "Accept"})

    @service.get("/declared")
    @doc.produces(status=status)
    async def declared(request): ...

    @service.get("/raise")
    async def raise_with(request):
        raise ServiceException("why", status_code=status)

    @service.get("/sanic")
    async def sanics(request):
        return sanic_response.HTTPResponse("text" if status == 205 else None, status=status)

    async with serve(service) as address:
        answers = await exchange(
            address, "/reply", "/declared", "/raise", "/sanic", "HEAD /declared", "/multi"
        )

    for line, fields, body in answers[:-1]:
        assert line.split()[1] == str(status)
        assert body == b""
        assert values(fields, "content-length") == (["0"] if status == 205 else [])
        assert values(fields, "transfer-encoding") == []
    assert answers[-1][2].endswith(b'"data":1}')


async def test_data_with_a_status_that_has_no_body_is_a_bug(service, serve, caplog):
    @service.get("/declared")
    @doc.produces(status=205)
    async def declared(request):
        return {"a": 1}

    async with serve(service) as address:
        ((status, _, _),) = await exchange(address, "/declared")

    assert status.startswith("HTTP/1.1 500")
    assert "205, which has no body" in caplog.text


def test_lists_of_words_are_united():
    assert unite("origin", "Accept, ORIGIN,,Accept") == "origin, Accept"
    assert unite("origin", "*") == "*"


def test_each_field_has_its_rule():
    base = (("vary", "origin"), ("content-type", "a/b"), ("link", "</a>"), ("x-b", "1"))
    own = OwnHeaders({"VARY": "Accept", "Content-Type": "c/d", "Link": ["</a>", "</b>"]}, "here")

    assert merge(base, own.pairs) == (
        ("vary", "origin, Accept"),
        ("x-b", "1"),
        ("Content-Type", "c/d"),
        ("Link", "</a>"),
        ("Link", "</b>"),
    )
