"""What is read from declarations, and every mistake in them that is refused."""

import copy
from typing import Literal

import pytest
from sanic import Blueprint as SanicBlueprint

from msframework import (
    Blueprint,
    Cursors,
    ImproperlyConfigured,
    NotFound,
    Resource,
    Schema,
    ServiceException,
    doc,
)
from msframework.access import APIKey, AuthenticatedBy
from msframework.exceptions import Gone
from msframework.operation import Source
from msframework.schemas import fields


async def current_user(request):
    return "somebody"


def mount(make_service, *declare):
    """Return a service with one blueprint on which every function of *declare* registered."""
    service = make_service()
    things = Blueprint("things", url_prefix="/things")
    for function in declare:
        function(things)
    service.blueprint(things)
    return service


def problems_of(service):
    with pytest.raises(ImproperlyConfigured) as caught:
        service.compile()
    return caught.value.problems


def test_resource_methods_become_operations(make_service):
    def declare(things):
        @things.resource("/<id:int>")
        class Thing(Resource):
            """One thing."""

            @doc.produces({"id": int})
            @doc.raises(NotFound)
            async def get(self, request, id):
                """Read a thing."""

            @doc.tag("other")
            async def delete(self, request, id): ...

    get, delete = mount(make_service, declare).operations

    assert (get.method, get.path, get.template) == ("GET", "/things/<id:int>", "/things/{id}")
    assert (get.id, get.name, get.blueprint) == ("things_read", "Thing.get", "things")
    assert get.text.summary == "Read a thing"
    assert get.text.tags == ("things",)
    assert get.failures[0].exception is NotFound
    assert [argument.source for argument in get.arguments] == [Source.REQUEST, Source.PATH]
    assert delete.text.tags == ("other",)
    assert delete.text.summary == "One thing"


def test_functions_on_a_plain_blueprint_and_on_the_app_are_read_too(make_service):
    service = make_service()
    plain = SanicBlueprint("plain", url_prefix="/plain")

    @plain.get("/<name>")
    @doc.summary("Plain")
    async def read_plain(request, name): ...

    @service.post("/on-app")
    @doc.consumes({"a": int})
    async def create_on_app(request, body): ...

    service.blueprint(plain)

    by_name = {operation.name: operation for operation in service.operations}
    assert by_name["read_plain"].path_params[0].kind == "str"
    assert by_name["read_plain"].text.summary == "Plain"
    assert by_name["create_on_app"].input(Source.BODY) is not None
    assert by_name["create_on_app"].blueprint == ""


def test_streams_websockets_and_static_files_are_passed_through(make_service, tmp_path):
    service = make_service()

    @service.post("/stream", stream=True)
    async def stream(request): ...

    @service.websocket("/feed")
    async def feed(request, ws): ...

    service.static("/files", tmp_path)

    assert service.operations == ()


def test_patch_bodies_are_partial(make_service):
    def declare(things):
        @things.patch("/")
        @doc.consumes({"a": int})
        async def patch(request, body): ...

    (operation,) = mount(make_service, declare).operations

    assert operation.input(Source.BODY).partial


def test_a_provided_value_is_an_argument(make_service):
    def declare(things):
        things.provide("user", current_user)

        @things.get("/")
        async def listing(request, user): ...

    (operation,) = mount(make_service, declare).operations

    assert operation.arguments[1].provider is current_user


def test_provide_may_come_after_create_app_has_read(make_service):
    def declare(things):
        @things.get("/")
        async def listing(request, user): ...

    service = mount(make_service, declare)
    service.compile(strict=False)
    service.provide("user", current_user)

    assert service.operations[0].arguments[1].source is Source.PROVIDED


def test_notes_above_and_below_another_decorator_are_both_read(make_service):
    from functools import wraps

    def logged(function):
        @wraps(function)
        async def wrapper(*args, **kwargs):
            return await function(*args, **kwargs)

        return wrapper

    def declare(things):
        @things.get("/")
        @doc.summary("Above")
        @logged
        @doc.tag("below")
        async def listing(request): ...

    (operation,) = mount(make_service, declare).operations

    assert (operation.text.summary, operation.text.tags) == ("Above", ("below",))


class Unfit:
    """No exception of a service."""


def unknown_parameter(things):
    @things.get("/")
    async def handler(request, nothing): ...


def name_of_elsewhere(things):
    @things.get("/")
    async def handler(request, user): ...


def missing_path_parameter(things):
    @things.get("/<id:int>")
    async def handler(request): ...


def no_request(things):
    @things.get("/")
    async def handler(*, request): ...


def schema_that_is_none(things):
    @things.post("/")
    @doc.consumes(42)
    async def handler(request, body): ...


def body_of_a_get(things):
    @things.get("/")
    @doc.consumes({"a": int})
    async def handler(request, body): ...


def body_and_form(things):
    @things.post("/")
    @doc.consumes({"a": int})
    @doc.form({"a": int})
    async def handler(request, body): ...


def input_twice(things):
    @things.get("/")
    @doc.query({"a": int})
    @doc.query({"b": int})
    async def handler(request, query): ...


def list_in_query(things):
    @things.get("/")
    @doc.query([{"a": int}])
    async def handler(request, query): ...


def page_undeclared(things):
    @things.get("/")
    async def handler(request, page): ...


def page_of_one(things):
    @things.get("/")
    @doc.paginate()
    @doc.produces({"a": int})
    async def handler(request, page): ...


def page_of_zero(things):
    @things.get("/")
    @doc.paginate(max_per_page=0)
    async def handler(request, page): ...


def status_of_a_failure(things):
    @things.get("/")
    @doc.produces({"a": int}, status=404)
    async def handler(request): ...


def status_twice(things):
    @things.get("/")
    @doc.produces({"a": int})
    @doc.produces({"b": int})
    async def handler(request): ...


def body_of_204(things):
    @things.get("/")
    @doc.produces({"a": int}, status=204)
    async def handler(request): ...


def unfit_failure(things):
    @things.get("/")
    @doc.raises(Unfit)
    async def handler(request): ...


def no_resource(things):
    @things.resource("/")
    class Thing: ...


def resource_without_methods(things):
    @things.resource("/")
    class Thing(Resource): ...


def wrong_envelope(things):
    @things.resource("/")
    class Thing(Resource):
        envelope = Unfit

        async def get(self, request): ...


def unknown_envelope(things):
    @things.resource("/")
    class Thing(Resource):
        envelope = "nowhere.at.all"

        async def get(self, request): ...


def same_id(things):
    for path in ("/a", "/b"):

        @things.get(path, name=f"name{path[1:]}")
        @doc.operation_id("same")
        async def handler(request): ...


def same_route(things):
    for name in ("one", "two"):

        @things.get("/", name=name)
        async def handler(request): ...


MISTAKES = {
    unknown_parameter: "nothing declares its parameter 'nothing'",
    name_of_elsewhere: "(declared: nothing). Was 'principal', the caller, meant? Put <user> into",
    missing_path_parameter: "the path has <id>, but the method does not take it",
    no_request: "its first parameter must be the request",
    schema_that_is_none: "42",
    body_of_a_get: "a GET request has no body",
    body_and_form: "both a JSON body and a form",
    input_twice: "its query is declared twice",
    list_in_query: "query cannot be read through a list",
    page_undeclared: "Add @doc.paginate",
    page_of_one: "a page is a list",
    page_of_zero: "max_per_page=0; expected a whole number of 1 or more",
    status_of_a_failure: "a success is 200 to 399",
    status_twice: "names the status 200 twice",
    body_of_204: "has no body, so no schema",
    unfit_failure: "no exception of a service",
    no_resource: "no Resource class",
    resource_without_methods: "none of the methods",
    wrong_envelope: "is no envelope",
    unknown_envelope: "nowhere",
    same_id: "the operation id 'same' is taken",
    same_route: "/things",
}


@pytest.mark.parametrize("declare", MISTAKES, ids=lambda declare: declare.__name__)
def test_a_mistake_is_refused_with_its_place_and_its_cure(make_service, declare):
    problems = problems_of(mount(make_service, declare))

    assert any(MISTAKES[declare] in problem for problem in problems), problems
    assert any("things" in problem or __file__[-20:] in problem for problem in problems)


def test_all_mistakes_come_in_one_message(make_service):
    service = mount(make_service, unknown_parameter)
    other = Blueprint("other", url_prefix="/other")
    schema_that_is_none(other)
    missing_path_parameter(other)
    service.blueprint(other)

    problems = problems_of(service)

    assert len(problems) >= 2
    assert str(ImproperlyConfigured(*problems)).startswith(f"{len(problems)} problems were found")


def test_an_exception_of_the_service_is_fit_for_raises(make_service):
    class Taken(ServiceException):
        status_code = 409

    def declare(things):
        @things.post("/")
        @doc.raises(Taken, constraint="things_name")
        async def create(request): ...

    (operation,) = mount(make_service, declare).operations

    assert operation.failures[0].constraint == "things_name"


class WordApi:
    """A word."""

    text = doc.String("text")


class WordSchema(Schema):
    """A word."""

    text = fields.String()


@pytest.mark.parametrize(
    "declared",
    [WordSchema, [WordSchema], {"id": int}, [{"id": int}], {"in": {"id": [int]}}, WordApi],
)
def test_schemas_that_are_declared_alike_are_made_once(make_service, declared):
    def declare(things):
        @things.get("/a")
        @doc.produces(copy.copy(declared))
        async def first(request): ...

        @things.get("/b")
        @doc.produces(copy.copy(declared), status=201)
        async def second(request): ...

    first, second = mount(make_service, declare).operations

    assert first.answers[0].schema is second.answers[0].schema


@pytest.mark.parametrize(
    "declared",
    [WordSchema(), {"id": doc.Integer("a")}, {"id": fields.Integer()}, [{"id": doc.Integer()}]],
)
def test_what_may_be_of_its_own_is_kept_apart(make_service, declared):
    def declare(things):
        @things.get("/a")
        @doc.produces(copy.deepcopy(declared))
        async def first(request): ...

        @things.get("/b")
        @doc.produces(copy.deepcopy(declared))
        async def second(request): ...

    first, second = mount(make_service, declare).operations

    assert first.answers[0].schema is not second.answers[0].schema


def test_what_is_read_and_what_is_sent_are_kept_apart(make_service):
    class Thing:
        id = int

    def declare(things):
        @things.post("/")
        @doc.consumes(Thing)
        @doc.produces(Thing)
        async def post(request, body): ...

    (post,) = mount(make_service, declare).operations

    assert post.inputs[0].schema.fields["id"].required
    assert not post.answers[0].schema.fields["id"].required


def test_an_answer_has_what_stands_in_its_dict(make_service):
    def declare(things):
        @things.get("/")
        @doc.produces({"id": int, "note": str | None, "more": doc.String(required=False)})
        async def get(request): ...

    (get,) = mount(make_service, declare).operations

    found = get.answers[0].schema.fields
    assert [name for name in found if found[name].required] == ["id", "note"]


def test_the_order_of_keys_is_kept_apart(make_service):
    def declare(things):
        @things.get("/a")
        @doc.produces({"a": int, "b": int})
        async def first(request): ...

        @things.get("/b")
        @doc.produces({"b": int, "a": int})
        async def second(request): ...

    first, second = mount(make_service, declare).operations

    assert list(first.answers[0].schema.fields) == ["a", "b"]
    assert list(second.answers[0].schema.fields) == ["b", "a"]


class Filter:
    limit = int | None
    name = str


OF_TEXTS = {
    "dict": {"limit": int | None, "name": str, "kind": Literal["a", None]},
    "class": Filter,
    "list": {"limit": list[int] | None, "name": str, "note": doc.String(required=False)},
}


@pytest.mark.parametrize("thing", OF_TEXTS)
@pytest.mark.parametrize("name", ["query", "headers", "cookies", "form"])
def test_what_may_be_null_may_be_left_out_where_there_is_no_null(make_service, name, thing):
    def declare(things):
        @things.post("/")
        @getattr(doc, name)(OF_TEXTS[thing])
        async def create(request): ...

    (operation,) = mount(make_service, declare).operations

    (given,) = operation.inputs
    assert [key for key, field in given.schema.fields.items() if field.required] == ["name"]


@pytest.mark.parametrize("thing", ["dict", "class"])
def test_what_may_be_null_must_be_there_in_json(make_service, thing):
    def declare(things):
        @things.post("/")
        @doc.query(OF_TEXTS[thing])
        @doc.consumes(OF_TEXTS[thing])
        async def create(request): ...

    (operation,) = mount(make_service, declare).operations

    body = next(given for given in operation.inputs if given.source is Source.BODY)
    assert all(field.required for field in body.schema.fields.values())


ON_A_METHOD_ALONE = {
    "produces": doc.produces({"id": int}),
    "consumes": doc.consumes({"id": int}),
    "query": doc.query({"id": int}),
    "headers": doc.headers({"id": int}),
    "cookies": doc.cookies({"id": int}),
    "form": doc.form({"id": int}),
    "files": doc.files({"id": fields.Raw()}),
    "paginate": doc.paginate(),
    "operation_id": doc.operation_id("read"),
}


@pytest.mark.parametrize("name", ON_A_METHOD_ALONE)
def test_what_holds_for_a_method_is_refused_on_a_class(make_service, name):
    def declare(things):
        @things.resource("/")
        @ON_A_METHOD_ALONE[name]
        class Thing(Resource):
            async def get(self, request): ...

            async def post(self, request): ...

    (problem,) = problems_of(mount(make_service, declare))

    assert f"Thing: @doc.{name} stands on it" in problem
    assert problem.endswith("Put it on each method.")


@pytest.mark.parametrize("name", ON_A_METHOD_ALONE)
def test_what_holds_for_a_method_is_refused_on_a_blueprint(make_service, name):
    def declare(things):
        ON_A_METHOD_ALONE[name](things)

        @things.get("/")
        async def read(request): ...

    (problem,) = problems_of(mount(make_service, declare))

    assert problem.startswith(f"blueprint 'things': @doc.{name} stands on it")


def test_what_a_class_says_of_itself_serves_methods_that_say_nothing(make_service):
    def declare(things):
        @things.resource("/")
        @doc.summary("Things")
        @doc.description("All about things.")
        @doc.tag("shared")
        @doc.deprecated
        @doc.security()
        @doc.raises(NotFound)
        class Thing(Resource):
            """The class."""

            async def get(self, request): ...

            @doc.summary("Write one")
            async def post(self, request):
                """Write it."""

    get, post = mount(make_service, declare).operations

    assert (get.text.summary, get.text.description) == ("Things", "All about things.")
    assert (post.text.summary, post.text.description) == ("Write one", "Write it.")
    assert (get.text.tags, get.text.deprecated, get.failures[0].exception) == (
        ("shared",),
        True,
        NotFound,
    )


def test_a_class_hands_down_what_holds_for_requests(make_service):
    @doc.raises(NotFound)
    @doc.raises(NotFound, constraint="things_name")
    @doc.tag("base")
    @doc.priority("low")
    @doc.summary("Things")
    @doc.deprecated
    class Base(Resource):
        async def get(self, request): ...

    @doc.raises(Gone, constraint="things_name")
    class Middle(Base):
        priority = "high"

    def declare(things):
        things.resource("/")(type("Thing", (Middle,), {}))
        things.resource("/base")(Base)

    found = {each.path: each for each in mount(make_service, declare).operations}
    base, thing = found.pop("/things/base"), found.popitem()[1]

    declared = {(each.exception, each.constraint) for each in thing.failures if not each.is_general}
    assert declared == {(Gone, "things_name"), (NotFound, None)}
    assert (thing.text.tags, thing.priority) == (("base",), "high")
    assert (base.text.tags, base.priority) == (("base",), "low")
    assert (thing.text.summary, thing.text.deprecated) == ("", False)
    assert (base.text.summary, base.text.deprecated) == ("Things", True)


@pytest.mark.parametrize("public", [False, True])
def test_the_security_of_a_base_guards_what_derives_from_it(make_service, public):
    """Closed: it would otherwise be open without a word."""

    @doc.security("key")
    class Base(Resource): ...

    class Thing(Base):
        async def get(self, request): ...

    if public:
        doc.public(Thing)
    key = APIKey({"ada": "sha256:" + "0" * 64})
    service = make_service(access={"authenticators": {"key": key}})
    things = Blueprint("things")
    things.resource("/")(Thing)
    service.blueprint(things)

    (operation,) = service.operations
    guards = () if public else (AuthenticatedBy("key"),)
    assert (operation.access.guards, operation.access.is_public) == (guards, public)


@pytest.mark.parametrize(
    ("attribute", "meant"),
    [
        ("permission_classes", "guards"),
        ("decorators", "guards, or a decorator on each method"),
        ("throttle_classes", "@doc.rate_limit(…)"),
        ("rate_limits", "@doc.rate_limit(…)"),
        ("public", "@doc.public"),
        ("scopes", "Scopes(…) among its guards"),
        ("guard", "guards"),
        ("priorty", "priority"),
    ],
)
def test_what_would_guard_a_class_elsewhere_is_refused(make_service, attribute, meant):
    """Closed: it would be open without a word."""

    def declare(things):
        base = type("Base", (Resource,), {attribute: ()})

        @things.resource("/")
        class Thing(base):
            async def get(self, request): ...

    (problem,) = problems_of(mount(make_service, declare))
    assert f"Thing: nothing reads its {attribute!r}. Was {meant} meant?" in problem


def test_a_function_within_a_class_has_no_self(make_service):
    def declare(things):
        class Thing:
            @things.post("/<id:int>/close")
            async def close(self, request, id): ...

    (problem,) = problems_of(mount(make_service, declare))
    assert "its parameter 'request' is not the first one" in problem
    assert "write it beside" in problem


def test_a_class_of_pages_is_none():
    with pytest.raises(TypeError, match="one of Pages"):
        doc.paginate(Cursors)
