"""The service that is measured: the `users` table of the side-by-side benchmark.

Written as a user of msframework would write it; settings.py switches everything on.
"""

import uuid

from marshmallow.validate import Length, OneOf, Range

from msframework import Blueprint, ModelSchema, NotFound, Resource, Schema, async_request, doc
from msframework.models import (
    BooleanField,
    CharField,
    DateTimeTZField,
    DecimalField,
    IntegerField,
    Model,
    UUIDField,
    utcnow,
)
from msframework.schemas import fields

bench = Blueprint("bench")


class User(Model):
    name = CharField(max_length=128)
    email = CharField(max_length=128)
    age = IntegerField()
    sex = CharField(max_length=32)
    balance = DecimalField(max_digits=12, decimal_places=2)
    city_id = IntegerField()
    role_id = IntegerField()
    uid = UUIDField(default=uuid.uuid4)
    is_active = BooleanField(default=True)
    create_time = DateTimeTZField(default=utcnow)

    class Meta:
        table_name = "users"


class UserSchema(ModelSchema):
    """A user."""

    name = fields.String(required=True, validate=Length(1, 128))
    email = fields.Email(required=True, validate=Length(max=128))
    age = fields.Integer(required=True, validate=Range(0, 150))
    sex = fields.String(required=True, validate=OneOf(["male", "female", "other"]))

    class Meta:
        model = User
        fields = (
            "id",
            "name",
            "email",
            "age",
            "sex",
            "balance",
            "city_id",
            "role_id",
            "uid",
            "is_active",
            "create_time",
        )
        dump_only = ("uid", "is_active", "create_time")


class CitySchema(Schema):
    """A city of the upstream service."""

    id = fields.Integer()
    name = fields.String()
    country = fields.String()


class RoleSchema(Schema):
    """A role of the upstream service."""

    id = fields.Integer()
    name = fields.String()
    level = fields.Integer()


class FullUserSchema(UserSchema):
    """A user with city and role."""

    city = fields.Nested(CitySchema)
    role = fields.Nested(RoleSchema)

    class Meta(UserSchema.Meta):
        fields = (*UserSchema.Meta.fields, "city", "role")


READ = "SELECT * FROM users WHERE id = $1"
LIST = "SELECT * FROM users ORDER BY id"
COUNT = "SELECT count(*) FROM users"
CREATE = """
    INSERT INTO users (name, email, age, sex, balance, city_id, role_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id
"""


@bench.get("/json")
@doc.produces({"message": str})
async def hello(request):
    return {"message": "Hello, World!"}


@bench.resource("/users")
class UserList(Resource):
    """The users."""

    @doc.paginate(max_per_page=100)
    @doc.produces(UserSchema(many=True))
    async def get(self, request, page):
        async with request.app.db.acquire(request) as cur:
            return await page.fetch(cur, LIST, total=COUNT)

    @doc.consumes(UserSchema)
    @doc.produces({"id": int}, status=201)
    async def post(self, request, body):
        async with request.app.db.transaction(request) as cur:
            return await cur.fetchrow(
                CREATE,
                body["name"],
                body["email"],
                body["age"],
                body["sex"],
                body["balance"],
                body["city_id"],
                body["role_id"],
            )


async def read_user(request, id):
    """Return the row of a user, or answer 404."""
    async with request.app.db.acquire(request) as cur:
        user = await cur.fetchrow(READ, id)
    if user is None:
        raise NotFound(error=f"no user {id}")
    return user


@bench.resource("/users/<id:int>")
class UserDetail(Resource):
    """One user."""

    @doc.produces(UserSchema)
    @doc.raises(NotFound)
    async def get(self, request, id):
        return await read_user(request, id)


@bench.resource("/users/<id:int>/full")
class FullUserDetail(Resource):
    """One user, with city and role from another service."""

    @doc.produces(FullUserSchema)
    @doc.raises(NotFound)
    async def get(self, request, id):
        user = await read_user(request, id)
        upstream = request.client("upstream")
        await async_request(
            [
                [user, "city", upstream.call("GET", "/cities/{id}", id=user["city_id"])],
                [user, "role", upstream.call("GET", "/roles/{id}", id=user["role_id"])],
            ]
        )
        return user


def configure(service):
    """Mount the endpoints; `CONFIGURE` names this."""
    service.blueprint(bench)
