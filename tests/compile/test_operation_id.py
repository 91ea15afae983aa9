"""What operations are called."""

from __future__ import annotations

import pytest
from marshmallow import Schema, fields
from sanic import Blueprint as SanicBlueprint

from msframework import Blueprint, Resource, doc
from msframework.exceptions import ImproperlyConfigured


class BookSchema(Schema):
    name = fields.String()


def ids_of(service):
    return {(one.method, one.template): one.id for one in service.operations}


def books(name="books", prefix="/books"):
    blueprint = Blueprint(name, url_prefix=prefix)

    @blueprint.resource("/")
    class Many(Resource):
        @doc.paginate()
        @doc.produces(BookSchema(many=True))
        async def get(self, request, page): ...
        @doc.consumes(BookSchema)
        async def post(self, request, body): ...

    @blueprint.resource("/<id:int>")
    class One(Resource):
        async def get(self, request, id): ...
        async def put(self, request, id): ...
        async def patch(self, request, id): ...
        async def delete(self, request, id): ...

    return blueprint


USUAL = {
    "books_list",
    "books_create",
    "books_read",
    "books_replace",
    "books_update",
    "books_delete",
}


@pytest.mark.parametrize("prefix", ["", "/api/v2"])
@pytest.mark.parametrize("name", ["testing", "books", "shop"])
def test_the_usual_shapes_have_the_usual_names(make_service, name, prefix):
    service = make_service(service_name=name, server={"url_prefix": prefix})
    service.blueprint(books())
    service.blueprint(books("films", "/films"))

    ids = set(ids_of(service).values())

    assert ids == USUAL | {word.replace("books", "films") for word in USUAL}


def test_a_name_is_the_same_alone_and_beside_others(make_service):
    alone, beside = make_service(), make_service(service_name="beside")
    alone.blueprint(books())
    for blueprint in (books("films", "/films"), books(), books("book", "/book")):
        beside.blueprint(blueprint)

    assert ids_of(alone).items() <= ids_of(beside).items()


@pytest.mark.parametrize(
    ("uri", "methods", "expected"),
    [
        ("/", ("get", "delete"), {"GET": "shop_list", "DELETE": "shop_delete"}),
        ("/books", ("get", "post"), {"GET": "shop_books_list", "POST": "shop_books_create"}),
        ("/shop/<id>", ("get",), {"GET": "shop_read"}),
        ("/books/<isbn>", ("get", "put"), {"GET": "shop_books_read", "PUT": "shop_books_replace"}),
        ("/<id>/oldBooks", ("get", "post"), {"GET": "shop_old_books_list"}),
        ("/<id>/lend", ("post",), {"POST": "shop_lend"}),
        ("/<id>/books/<book>", ("patch",), {"PATCH": "shop_books_update"}),
        ("/<year:int>/<month:int>", ("get",), {"GET": "shop_read"}),
    ],
)
def test_a_name_tells_of_the_path_below_the_blueprint(make_service, uri, methods, expected):
    async def handle(self, request, **path): ...

    blueprint = Blueprint("shop", url_prefix="/elsewhere")
    cls = type("Thing", (Resource,), dict.fromkeys(methods, handle))
    blueprint.resource(uri)(cls)
    service = make_service()
    service.blueprint(blueprint)

    found = {method: id for (method, _), id in ids_of(service).items()}

    assert expected.items() <= found.items()


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (None, "me_list"),
        (BookSchema, "me_read"),
        (BookSchema(), "me_read"),
        (BookSchema(many=True), "me_list"),
        ([BookSchema], "me_list"),
        ({"id": int}, "me_read"),
    ],
)
def test_one_object_is_read_and_several_are_listed(make_service, answer, name):
    blueprint = Blueprint("me", url_prefix="/me")

    @blueprint.resource("/")
    class Me(Resource):
        async def get(self, request): ...

    if answer is not None:
        doc.produces(answer)(Me.get)
    service = make_service()
    service.blueprint(blueprint)

    assert [one.id for one in service.operations] == [name]


def test_two_that_want_one_name_are_told_apart(make_service):
    blueprint = Blueprint("books", url_prefix="/books")

    class Methods(Resource):
        async def get(self, request, **path): ...
        async def delete(self, request, **path): ...

    for uri, name in (
        ("/<id:int>", "ById"),
        ("/isbn/<isbn>", "ByIsbn"),
        ("/named/<name>", "Named"),
    ):
        blueprint.resource(uri)(type(name, (Methods,), {}))
    blueprint.resource("/<author>/<title>")(type("ByTitle", (Methods,), {}))
    blueprint.resource("/<author>/of/<id:int>")(type("First", (Methods,), {}))
    blueprint.resource("/of/<author>/<id:int>")(type("Second", (Methods,), {}))
    service = make_service()
    service.blueprint(blueprint)

    assert {one.id for one in service.operations if one.method == "GET"} == {
        "books_read_by_id",
        "books_isbn_read",
        "books_named_read",
        "books_read_by_author_and_title",
        "books_first_get",
        "books_second_get",
    }


def test_functions_keep_the_names_of_their_authors(make_service):
    blueprint, plain = Blueprint("users", url_prefix="/users"), SanicBlueprint("old", "/old")

    @blueprint.post("/")
    async def create_user(request): ...

    @plain.route("/", methods=["GET", "POST"])
    async def serve(request): ...

    service = make_service()
    service.blueprint(blueprint)
    service.blueprint(plain)

    assert {one.id for one in service.operations} == {
        "users_create_user",
        "old_serve_get",
        "old_serve_post",
    }


def test_a_name_that_is_said_wins(make_service):
    blueprint = Blueprint("books", url_prefix="/books")

    @blueprint.resource("/<id:int>")
    class One(Resource):
        @doc.operation_id("books_delete")
        async def get(self, request, id): ...
        async def delete(self, request, id): ...

    service = make_service()
    service.blueprint(blueprint)

    with pytest.raises(ImproperlyConfigured, match="the operation id 'books_delete' is taken"):
        _ = service.operations
