"""A service whose size is chosen: rows of an answer, bytes of a body, number of routes.

`BENCH_ROUTES` says how many operations it has beside the four that are measured. They come as
those of a real service do: a list, an item, and what creates, replaces and deletes it, each with
its schema.
"""

import os

from marshmallow.validate import Length

from benchmarks.service import READ, UserSchema
from msframework import Blueprint, NotFound, Resource, Schema, doc
from msframework.schemas import fields

growing = Blueprint("growing")
ROWS = "SELECT * FROM users ORDER BY id LIMIT $1"


class ThingSchema(Schema):
    """A thing."""

    id = fields.Integer(dump_only=True)
    name = fields.String(required=True, validate=Length(1, 128))
    price = fields.Decimal(as_string=True, required=True)
    tags = fields.List(fields.String())


class RecordsSchema(Schema):
    """Some users in one body."""

    records = fields.List(fields.Nested(UserSchema), required=True)


@growing.get("/json")
@doc.produces({"message": str})
async def hello(request):
    return {"message": "Hello, World!"}


@growing.get("/users/<id:int>")
@doc.produces(UserSchema)
@doc.raises(NotFound)
async def read(request, id):
    async with request.app.db.acquire(request) as cur:
        user = await cur.fetchrow(READ, id)
    if user is None:
        raise NotFound(error=f"no user {id}")
    return user


@growing.get("/rows/<count:int>")
@doc.produces(UserSchema(many=True))
async def rows(request, count):
    async with request.app.db.acquire(request) as cur:
        return await cur.fetch(ROWS, count)


@growing.post("/records")
@doc.consumes(RecordsSchema)
@doc.produces({"count": int})
async def records(request, body):
    return {"count": len(body["records"])}


# The operations of one kind of thing, in the order in which they are added.
OPERATIONS = (
    ("item", "get"),
    ("list", "get"),
    ("list", "post"),
    ("item", "put"),
    ("item", "delete"),
)


def resources_of(number):
    """Return the resources of the kind *number*, with a schema of their own."""
    schema = type(f"Thing{number}Schema", (ThingSchema,), {"__doc__": f"A thing, kind {number}."})

    class ThingList(Resource):
        """The things of one kind."""

        @doc.produces(schema(many=True))
        async def get(self, request):
            return []

        @doc.consumes(schema)
        @doc.produces({"id": int}, status=201)
        async def post(self, request, body):
            return {"id": 1}

    class Thing(Resource):
        """One thing."""

        @doc.produces(schema)
        async def get(self, request, id):
            return {"id": id, "name": "thing", "price": "1.50", "tags": ["a", "b"]}

        @doc.consumes(schema)
        @doc.produces(schema)
        async def put(self, request, id, body):
            return {"id": id, **body}

        @doc.produces(status=204)
        async def delete(self, request, id):
            return None

    return {"item": Thing, "list": ThingList}


def build_things(count):
    """Return a blueprint with *count* operations; an item of the last kind is `/things/last/1`."""
    things = Blueprint("things", url_prefix="/things")
    kinds = -(-count // len(OPERATIONS))
    for number in range(kinds):
        chosen = OPERATIONS[: count - number * len(OPERATIONS)]
        name = "last" if number == kinds - 1 else str(number)
        paths = {"item": f"/{name}/<id:int>", "list": f"/{name}"}
        for part, resource in resources_of(number).items():
            methods = {method: vars(resource)[method] for of, method in chosen if of == part}
            if methods:
                title = f"{resource.__name__}{number}"
                named = type(title, (Resource,), {"__doc__": resource.__doc__, **methods})
                things.resource(paths[part])(named)
    return things


def configure(service):
    """Mount the endpoints; `CONFIGURE` names this."""
    service.blueprint(growing)
    service.blueprint(build_things(int(os.environ.get("BENCH_ROUTES", "1"))))
