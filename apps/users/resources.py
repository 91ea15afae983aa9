"""The endpoints of the users service."""

from apps.users.api import get_city, get_role
from apps.users.errors import EmailTaken
from apps.users.models import User
from apps.users.schemas import UserQuery, UserSchema
from msframework import Blueprint, NotFound, Resource, Scopes, async_request, doc
from msframework.access import hash_password
from msframework.exceptions import GatewayTimeout, UpstreamError

users = Blueprint(
    "users",
    url_prefix="/users",
    description="Who uses this site.",
    guards=(Scopes("users:write").on("POST", "PATCH", "DELETE"),),
)


@users.resource("/")
class UserList(Resource):
    """The users of this site."""

    @doc.summary("List users")
    @doc.query(UserQuery)
    @doc.paginate(max_per_page=100)
    @doc.produces(UserSchema(many=True))
    async def get(self, request, query, page, cur):
        users = User.select().order_by(User.id)
        return await page.fetch(cur, users.filter(**query) if query else users)

    @doc.summary("Create a user")
    @doc.consumes(UserSchema)
    @doc.produces({"id": int}, status=201)
    @doc.raises(EmailTaken, constraint="users_email")
    async def post(self, request, body, tx):
        body["password"] = await hash_password(body["password"])
        return await tx.fetchrow(User.insert(**body).returning(User.id))


@users.resource("/<id:int>")
class UserDetail(Resource):
    """One user."""

    @doc.summary("Read a user")
    @doc.description("City and role are read from their services at the same time.")
    @doc.produces(UserSchema)
    @doc.raises(NotFound)
    @doc.raises(UpstreamError, description="The regions or the roles service failed.")
    @doc.raises(GatewayTimeout, description="The regions or the roles service did not answer.")
    async def get(self, request, id, db):
        async with db.acquire() as cur:  # given back before the other services are asked
            user = await cur.fetchrow("SELECT * FROM users WHERE id = $1", id)
        if user is None:
            raise NotFound(error=f"no user {id}")
        await async_request(
            [
                [user, "city_id", get_city(request, user["city_id"])],
                [user, "role_id", get_role(request, user["role_id"])],
            ]
        )
        return user

    @doc.summary("Change a user")
    @doc.description("What the body leaves out stays as it is.")
    @doc.consumes(UserSchema)
    @doc.produces(UserSchema)
    @doc.raises(NotFound)
    @doc.raises(EmailTaken, constraint="users_email")
    async def patch(self, request, id, body, tx):
        if "password" in body:
            body["password"] = await hash_password(body["password"])
        chosen = User.id == id
        query = (
            User.update(**body).where(chosen).returning(User)
            if body
            else User.select().where(chosen)
        )
        user = await tx.fetchrow(query)
        if user is None:
            raise NotFound(error=f"no user {id}")
        return user

    @doc.summary("Delete a user")
    @doc.produces(status=204)
    @doc.raises(NotFound)
    async def delete(self, request, id, tx):
        gone = await tx.fetchval("DELETE FROM users WHERE id = $1 RETURNING id", id)
        if gone is None:
            raise NotFound(error=f"no user {id}")
