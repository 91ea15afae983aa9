"""The generated handlers: what stands in them, and what must not."""

import ast
import traceback
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from sanic import HTTPResponse

from msframework import Blueprint, Resource, doc
from msframework._codegen import _compile
from msframework.compile.context import CompileContext
from msframework.compile.emitter import Emitter
from msframework.compile.handler import STEPS, begin, compile_operation, end
from msframework.serving.answer import Heads

GOLDEN = Path(__file__).parent / "golden"


async def current_user(request):
    return "somebody"


async def session(request, cur):
    yield cur


@pytest.fixture
def service(make_service):
    service = make_service()
    things = Blueprint("things", url_prefix="/things")
    things.provide("user", current_user)

    @things.resource("/")
    class Things(Resource):
        @doc.paginate()
        @doc.query({"q": str})
        @doc.produces([{"id": int}])
        async def get(self, request, page, query): ...

        @doc.consumes({"name": str})
        @doc.headers({"x_token": str})
        @doc.produces({"id": int}, status=201)
        async def post(self, request, body, headers, user): ...

    @things.resource("/<name>")
    class Thing(Resource):
        async def get(self, request, name): ...

        @doc.produces(None, status=204)
        def delete(self, request, name): ...

    things.provide("session", session)
    things.provide("note", lambda id, session: id)

    @things.post("/noted/<id:int>")
    @doc.query({"q": str})
    async def takes_values(request, query, note, user, cur, tx): ...

    @things.get("/hidden/<errors:int>/<method>")
    async def hides_names(request, errors, method):
        return {"errors": errors, "method": method}

    service.blueprint(things)
    return service


@pytest.mark.parametrize(
    "name",
    ["Things.get", "Things.post", "Thing.get", "Thing.delete", "hides_names", "takes_values"],
)
def test_a_handler_is_what_its_golden_file_says(service, name):
    golden = GOLDEN / f"{name}.txt"
    source = service.sources[name]

    if not golden.exists():
        golden.write_text(source)
        pytest.fail(f"{golden} was not there; it is written now. Read it and commit it.")
    assert source == golden.read_text()


def test_no_handler_contains_getattr_isinstance_or_a_loop(service):
    assert len(service.sources) >= 5
    for name, source in service.sources.items():
        for node in ast.walk(ast.parse(source)):
            loop = ast.For | ast.AsyncFor | ast.While | ast.comprehension
            assert not isinstance(node, loop), name
            if isinstance(node, ast.Name):
                assert node.id not in ("getattr", "isinstance", "hasattr", "setattr"), name


def test_without_tracing_and_access_log_nothing_of_them_is_in_the_handler(service):
    operation = service.operations[0]
    context = CompileContext(heads=Heads(), failures=service._serving.failures)

    source = compile_operation(operation, context).source

    assert "span" not in source
    assert "finish" not in source


@pytest.mark.parametrize("barred", [True, False])
async def test_a_step_may_leave_early_and_another_one_may_follow_every_exit(service, barred):
    seen = []

    def guard(operation, context, emitter):
        emitter.bind("bar", lambda request: "barred")
        emitter.leave_if("request.barred", "bar(request)")

    def note(operation, context, emitter):
        emitter.bind("note", seen.append)
        emitter.line("note(answer)")

    @service.get("/")
    async def read(request):
        return HTTPResponse("read")

    operation = next(each for each in service.operations if each.name == "read")
    steps = list(STEPS)
    steps.insert(steps.index(begin) + 1, guard)
    steps.insert(steps.index(end) + 1, note)
    context = CompileContext(heads=Heads(), failures=service._serving.failures)
    compiled = compile_operation(replace(operation, handler=read), context, steps)

    answer = await compiled.handler(SimpleNamespace(barred=barred, responded=False))

    assert answer == "barred" if barred else answer.body == b"read"
    assert seen == [answer]


def test_two_steps_cannot_bind_one_name():
    emitter = Emitter()
    emitter.bind("name", 1)
    emitter.bind("name", 1)

    with pytest.raises(ValueError, match="'name'"):
        emitter.bind("name", 2)


def test_a_traceback_shows_the_line_of_the_generated_source(make_service):
    service = make_service()

    @service.get("/")
    async def broken(request): ...

    handler = service.router.routes[0].handler
    service.compile()
    handler = service.router.routes[0].handler
    coroutine = handler(None)
    with pytest.raises(AttributeError) as caught:
        coroutine.send(None)

    text = "".join(traceback.format_exception(caught.value))

    assert "<msframework handle_broken>" in text
    assert "request.span = start_request(request, label)" in text


def test_handlers_that_are_alike_are_compiled_once(make_service):
    service = make_service()

    @service.get("/one")
    @doc.produces({"id": int})
    async def one(request): ...

    service.compile()
    before = _compile.cache_info().misses

    @service.get("/other")
    @doc.produces({"id": int})
    async def other(request): ...

    assert len(service.operations) == 2
    assert _compile.cache_info().misses == before
