"""The wire contract: what is sent for each case, over real sockets."""

import datetime
import decimal
import json
import uuid

import aiohttp
import pytest
import pytest_asyncio
from sanic import exceptions as sanic_exceptions
from sanic import response as sanic_response

from msframework import (
    Blueprint,
    Conflict,
    NotFound,
    PageResult,
    Reply,
    Resource,
    Schema,
    ServerError,
    async_request,
    doc,
)
from msframework.envelope import ProblemDetails
from msframework.schemas import fields
from tests.conftest import new_service, serve_service

pytestmark = pytest.mark.asyncio(loop_scope="module")


class EmailTaken(Conflict):
    """An exception class of a service, with a code of its own."""

    code = 12003
    message = "this address is taken"


class Wire:
    """One served service and a session to it."""

    def __init__(self, session, base):
        self.session, self.base = session, base

    async def __call__(self, method, path, **options):
        async with self.session.request(method, self.base + path, **options) as response:
            response.body = await response.read()
            return response


@pytest_asyncio.fixture(
    params=[True, False], ids=["fast", "sanic"], scope="module", loop_scope="module"
)
async def wire(request):
    service = new_service(server={"fast_path": request.param})
    declare(service)
    async with serve_service(service) as (host, port), aiohttp.ClientSession() as session:
        yield Wire(session, f"http://{host}:{port}")


def declare(service):
    things = Blueprint("things", url_prefix="/things")

    @things.resource("/")
    class Things(Resource):
        @doc.paginate(per_page=2, max_per_page=5)
        @doc.produces([{"id": int}])
        async def get(self, request, page):
            return page.result([{"id": page.offset + 1}], 7)

        @doc.consumes({"name": str, "age": int})
        @doc.produces({"name": str, "age": int}, status=201)
        async def post(self, request, body):
            assert request.data is body
            assert request["data"] is body
            return body

    @things.resource("/<id:int>")
    class Thing(Resource):
        @doc.produces({"id": int})
        @doc.produces({"job": str}, status=202)
        async def get(self, request, id):
            if id == 202:
                return Reply({"job": "j"}, status=202, headers={"X-Job": "j"})
            if id == 299:
                return Reply({}, status=299)
            if id == 404:
                raise NotFound(error=f"no thing {id}")
            if id == 409:
                raise EmailTaken
            if id == 500:
                raise ValueError("the inside")
            return {"id": id}

        @doc.consumes({"name": str, "age": int})
        async def patch(self, request, id, body):
            return body

        @doc.produces(status=204)
        async def delete(self, request, id):
            return None

    @things.get("/returns/<what>")
    async def returns(request, what):
        return {
            "dict": {"a": 1},
            "list": [1, 2],
            "none": None,
            "text": "text",
            "page": ([{"a": 1}], {"page": 1, "total": 1}),
            "result": PageResult([], {"page": 9}),
            "response": sanic_response.text("as it is", status=203),
            "values": {
                "decimal": decimal.Decimal("1.50"),
                "uuid": uuid.UUID(int=1),
                "time": datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC),
            },
        }[what]

    @things.get("/raises/<what>")
    async def raises(request, what):
        raise {
            "origin": ServerError(error="内部错误", code="10500", message="msg"),
            "sanic": sanic_exceptions.Forbidden("not yours"),
            "headers": NotFound(headers={"X-Why": "a\r\nb: c"}),
        }[what]

    @things.get("/plain-function")
    def plain_function(request):
        return {"plain": True}

    @things.post("/inputs/<id:int>")
    @doc.consumes({"age": int})
    @doc.query({"limit": int})
    @doc.headers({"x_token": int})
    @doc.cookies({"visit": int})
    async def inputs(request, id, body, query, headers, cookies):
        return {"body": body, "query": query, "headers": headers, "cookies": cookies}

    @things.post("/form")
    @doc.form({"name": str})
    @doc.files(Schema.from_dict({"upload": fields.Raw(required=True)}))
    async def upload(request, form, files):
        return {"form": form, "size": len(files["upload"].body)}

    @things.get("/gather")
    async def gather(request):
        async def value(number):
            return number

        record = {}
        await async_request([[record, "a", value(1)], [record, "b", value(2)]])
        return record

    service.blueprint(things)


async def test_success_is_wrapped_and_signed(wire):
    response = await wire("GET", "/things/7")

    assert response.status == 200
    assert response.body == b'{"code":0,"data":{"id":7}}'
    assert response.headers["content-type"] == "application/json"
    assert len(response.headers["x-request-id"]) == 32
    assert len(response.headers["x-trace-id"]) == 32


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("dict", {"code": 0, "data": {"a": 1}}),
        ("list", {"code": 0, "data": [1, 2]}),
        ("none", {"code": 0, "data": None}),
        ("text", {"code": 0, "data": "text"}),
        ("page", {"code": 0, "data": [{"a": 1}], "pagination": {"page": 1, "total": 1}}),
        ("result", {"code": 0, "data": [], "pagination": {"page": 9}}),
        (
            "values",
            {
                "code": 0,
                "data": {
                    "decimal": "1.50",
                    "uuid": "00000000-0000-0000-0000-000000000001",
                    "time": "2024-01-02T00:00:00+00:00",
                },
            },
        ),
    ],
)
async def test_whatever_a_method_returns_is_data(wire, what, body):
    response = await wire("GET", f"/things/returns/{what}")

    assert (response.status, json.loads(response.body)) == (200, body)


async def test_a_response_of_sanic_is_left_alone_but_signed(wire):
    response = await wire("GET", "/things/returns/response", headers={"X-Request-ID": "mine-1"})

    assert (response.status, response.body) == (203, b"as it is")
    assert response.headers["x-request-id"] == "mine-1"


async def test_a_page_carries_its_numbers(wire):
    response = await wire("GET", "/things/?page=2")

    assert json.loads(response.body) == {
        "code": 0,
        "data": [{"id": 3}],
        "pagination": {"page": 2, "per_page": 2, "total": 7, "pages": 4},
    }


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("page=0", "page", "Must be greater than or equal to 1 and less than or equal to 10000."),
        ("page=x", "page", "Not a valid integer."),
        ("page=", "page", "Not a valid integer."),
        ("page=1&page=2", "page", "Given 2 times, but takes one value."),
        ("per_page=1&x=2&per_page=1", "per_page", "Given 2 times, but takes one value."),
        (
            "page=99999999999999999999",
            "page",
            "Must be greater than or equal to 1 and less than or equal to 10000.",
        ),
        (
            "per_page=6",
            "per_page",
            "Must be greater than or equal to 1 and less than or equal to 5.",
        ),
    ],
)
async def test_a_page_out_of_bounds_is_refused(wire, query, field, message):
    response = await wire("GET", f"/things/?{query}")

    assert response.status == 422
    assert json.loads(response.body)["error"] == {"query": {field: [message]}}


async def test_reply_chooses_a_declared_status(wire):
    response = await wire("GET", "/things/202")

    assert (response.status, response.headers["x-job"]) == (202, "j")
    assert json.loads(response.body)["data"] == {"job": "j"}


async def test_reply_with_an_undeclared_status_is_a_bug(wire):
    assert (await wire("GET", "/things/299")).status == 500


async def test_nothing_with_204_has_no_body(wire):
    response = await wire("DELETE", "/things/7")

    assert (response.status, response.body) == (204, b"")
    assert "content-length" not in response.headers


async def test_a_service_exception_is_its_answer(wire):
    response = await wire("GET", "/things/404")

    assert response.status == 404
    assert json.loads(response.body) == {
        "code": 100404,
        "message": "Not Found",
        "error": "no thing 404",
    }


async def test_an_exception_class_brings_its_code(wire):
    response = await wire("GET", "/things/409")

    assert response.status == 409
    assert json.loads(response.body) == {"code": 12003, "message": "this address is taken"}


async def test_the_origins_server_error(wire):
    response = await wire("GET", "/things/raises/origin")

    assert response.status == 500
    assert json.loads(response.body) == {"code": "10500", "message": "msg", "error": "内部错误"}


async def test_a_header_of_an_exception_cannot_end_the_head(wire, caplog):
    response = await wire("GET", "/things/raises/headers")

    assert response.status == 500
    assert "x-why" not in response.headers
    (record,) = [record for record in caplog.records if record.name == "msframework.errors"]
    assert "NotFound" in str(record.exc_info[1])
    assert "'X-Why'" in str(record.exc_info[1])


async def test_sanics_own_exceptions_have_the_same_shape(wire):
    response = await wire("GET", "/things/raises/sanic")

    assert response.status == 403
    assert json.loads(response.body) == {
        "code": 100403,
        "message": "Forbidden",
        "error": "not yours",
    }


async def test_an_unexpected_exception_shows_nothing_of_the_inside(wire, caplog):
    response = await wire("GET", "/things/500")

    assert response.status == 500
    assert json.loads(response.body) == {"code": 100500, "message": "Internal Server Error"}
    (record,) = [record for record in caplog.records if record.name == "msframework.errors"]
    assert "the inside" in str(record.exc_info[1])
    assert record.trace_id == response.headers["x-trace-id"]


async def test_invalid_input_names_all_locations_at_once(wire):
    response = await wire(
        "POST",
        "/things/inputs/1?limit=x",
        json={"age": "x", "more": 1},
        headers={"X-Token": "x", "Cookie": "visit=x"},
    )

    wrong = ["Not a valid integer."]
    assert response.status == 422
    assert json.loads(response.body) == {
        "code": 100422,
        "message": "Invalid input",
        "error": {
            "body": {"age": wrong, "more": ["Unknown field."]},
            "query": {"limit": wrong},
            "headers": {"x_token": wrong},
            "cookies": {"visit": wrong},
        },
    }


async def test_all_locations_arrive_in_the_method_and_strangers_are_ignored(wire):
    response = await wire(
        "POST",
        "/things/inputs/1?limit=3&other=1",
        json={"age": 2},
        headers={"X-Token": "4", "X-Other": "1", "Cookie": "visit=5; other=1"},
    )

    assert json.loads(response.body)["data"] == {
        "body": {"age": 2},
        "query": {"limit": 3},
        "headers": {"x_token": 4},
        "cookies": {"visit": 5},
    }


async def test_a_form_and_a_file(wire):
    form = aiohttp.FormData({"name": "n"})
    form.add_field("upload", b"12345", filename="f.txt")

    response = await wire("POST", "/things/form", data=form)

    assert json.loads(response.body)["data"] == {"form": {"name": "n"}, "size": 5}


async def test_a_form_rejects_unknown_keys(wire):
    form = aiohttp.FormData({"name": "n", "more": "1"})
    form.add_field("upload", b"12345", filename="f.txt")

    response = await wire("POST", "/things/form", data=form)

    assert json.loads(response.body)["error"] == {"form": {"more": ["Unknown field."]}}


async def test_patch_tells_absent_from_null(wire):
    response = await wire("PATCH", "/things/7", json={"age": 3})

    assert json.loads(response.body)["data"] == {"age": 3}
    refused = await wire("PATCH", "/things/7", json={"age": None})
    assert json.loads(refused.body)["error"] == {"body": {"age": ["Field may not be null."]}}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"age": NaN}', b'{"age": 01}', b'{"name": "a\x01"}', b"{} x", b"[" * 2000],
)
async def test_malformed_json_is_400(wire, body):
    response = await wire(
        "POST", "/things/", data=body, headers={"Content-Type": "application/json"}
    )

    assert response.status == 400
    assert json.loads(response.body)["code"] == 100400


async def test_another_media_type_is_415(wire):
    response = await wire("POST", "/things/", data=b"<a/>", headers={"Content-Type": "text/xml"})

    assert response.status == 415
    assert json.loads(response.body)["code"] == 100415


async def test_a_charset_or_a_json_suffix_is_json(wire):
    for kind in ("application/json; charset=UTF-8", "application/vnd.api+json"):
        response = await wire(
            "POST", "/things/", data=b'{"name":"n","age":1}', headers={"Content-Type": kind}
        )
        assert response.status == 201


async def test_an_unknown_url_is_404_in_the_envelope(wire):
    response = await wire("GET", "/nothing")

    assert response.status == 404
    assert json.loads(response.body)["code"] == 100404
    assert len(response.headers["x-trace-id"]) == 32


async def test_a_missing_method_is_405_with_allow_on_typed_routes(wire):
    response = await wire("PUT", "/things/7")

    assert response.status == 405
    assert response.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
    assert json.loads(response.body)["code"] == 100405


async def test_head_and_options_answer_by_themselves(wire):
    head = await wire("HEAD", "/things/7")
    options = await wire("OPTIONS", "/things/7")

    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(b'{"code":0,"data":{"id":7}}'))
    assert (options.status, options.body) == (204, b"")
    assert options.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"


async def test_a_plain_function_may_be_a_method(wire):
    response = await wire("GET", "/things/plain-function")

    assert json.loads(response.body)["data"] == {"plain": True}


async def test_async_request_fills_records_in_place(wire):
    response = await wire("GET", "/things/gather")

    assert json.loads(response.body)["data"] == {"a": 1, "b": 2}


async def test_text_in_the_path_is_decoded_and_nul_is_refused(wire):
    response = await wire("GET", "/things/returns/a%00b")

    assert response.status == 422
    assert "path" in json.loads(response.body)["error"]


@pytest.mark.parametrize(("given", "taken"), [("abc-1", True), ("a b", False), ("x" * 129, False)])
async def test_a_request_id_is_taken_over_when_sane(wire, given, taken):
    response = await wire("GET", "/things/1", headers={"X-Request-ID": given})

    assert (response.headers["x-request-id"] == given) is taken


async def test_a_body_too_large_is_413(make_service, serve):
    service = make_service(server={"request_max_size": 100})
    declare(service)
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        url = f"http://{host}:{port}/things/"
        async with session.post(url, json={"name": "n" * 200, "age": 1}) as response:
            assert response.status == 413
            assert (await response.json())["code"] == 100413


async def test_a_handler_that_takes_too_long_is_503(make_service, serve):
    import asyncio

    service = make_service(server={"response_timeout": 0.2})
    cancelled = asyncio.Event()

    @service.get("/slow")
    async def slow(request):
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        async with session.get(f"http://{host}:{port}/slow") as response:
            assert response.status == 503
            assert (await response.json())["code"] == 100503
        assert cancelled.is_set()


async def served(service, serve, path, **options):
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        async with session.get(f"http://{host}:{port}{path}", **options) as response:
            return response, await response.read()


async def test_bare_bodies_without_an_envelope(make_service, serve):
    service = make_service(envelope=None)
    declare(service)

    _, body = await served(service, serve, "/things/7")

    assert json.loads(body) == {"id": 7}


async def test_problem_details_instead_of_the_envelope(make_service, serve):
    service = make_service(envelope="msframework.envelope.ProblemDetails")
    declare(service)

    response, body = await served(service, serve, "/things/404")

    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "no thing 404",
        "instance": "/things/404",
        "code": 100404,
    }


async def test_a_resource_overrides_the_envelope_for_itself(make_service, serve):
    service = make_service()
    things = Blueprint("things", url_prefix="/things")

    @things.resource("/bare")
    class Bare(Resource):
        envelope = None

        async def get(self, request):
            return {"id": 1}

    @things.resource("/problem")
    class Problem(Resource):
        envelope = ProblemDetails

        async def get(self, request):
            raise NotFound

    service.blueprint(things)
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        async with session.get(f"http://{host}:{port}/things/bare") as response:
            assert await response.json() == {"id": 1}
        async with session.get(f"http://{host}:{port}/things/problem") as response:
            assert response.content_type == "application/problem+json"


async def test_in_debug_the_traceback_is_in_the_answer(make_service, serve):
    service = make_service(debug=True)
    declare(service)

    _, body = await served(service, serve, "/things/500")

    assert "ValueError: the inside" in json.loads(body)["traceback"]


async def test_cors_headers_are_on_every_answer(make_service, serve):
    service = make_service(server={"cors_origins": ("https://app.example",)})
    declare(service)
    origin = {"Origin": "https://app.example"}
    async with (
        serve(service) as (host, port),
        aiohttp.ClientSession(headers=origin) as session,
    ):
        for path in ("/things/7", "/things/404", "/nothing", "/things/returns/response"):
            async with session.get(f"http://{host}:{port}{path}") as response:
                assert response.headers["access-control-allow-origin"] == "https://app.example"
                assert response.headers["vary"] == "Origin"
        async with session.options(
            f"http://{host}:{port}/things/7", headers={"Access-Control-Request-Method": "PATCH"}
        ) as response:
            assert "PATCH" in response.headers["access-control-allow-methods"]
            assert "Authorization" in response.headers["access-control-allow-headers"]


async def test_every_unexpected_exception_comes_to_the_hook(make_service, serve):
    service = make_service()
    declare(service)
    seen = []

    @service.on_error
    async def hook(request, exc, span):
        seen.append((request.path, type(exc), span.trace_id))

    @service.on_error
    def broken_hook(request, exc, span):
        raise RuntimeError("a hook that fails spoils no answer")

    response, _ = await served(service, serve, "/things/500")

    assert seen == [("/things/500", ValueError, response.headers["x-trace-id"])]
    assert response.status == 500


async def test_a_habit_from_elsewhere_is_noted_in_the_log(make_service, serve, caplog):
    service = make_service()

    @service.get("/me")
    async def read(request):
        return request.user

    response, _ = await served(service, serve, "/me")

    assert response.status == 500
    assert "Take the argument `principal`" not in await response.text()
    assert "Take the argument `principal`" in caplog.text


async def test_a_path_prefix_goes_before_every_route(make_service, serve):
    service = make_service(server={"url_prefix": "/api"})
    declare(service)

    response, _ = await served(service, serve, "/api/things/7")

    assert response.status == 200
    assert all(operation.path.startswith("/api/") for operation in service.operations)
