"""The endpoints of the users service."""

from apps.users.api import get_city, get_role
from apps.users.errors import EmailTaken
from apps.users.schemas import UserSchema
from msframework import Blueprint, ModelResource, Scopes, async_request, doc
from msframework.access import hash_password
from msframework.exceptions import GatewayTimeout, UpstreamError

users = Blueprint(
    "users",
    url_prefix="/users",
    description="Who uses this site.",
    guards=(Scopes("users:write").on("POST", "PATCH", "DELETE"),),
)


@users.collection("/", item="/<id:int>")
class Users(ModelResource):
    """Who uses this site."""

    schema = UserSchema
    created_schema = {"id": int}
    actions = ("list", "create", "read", "patch", "delete")
    filters = {"city_id": ("eq",), "role_id": ("eq",)}
    raises = {"users_email": EmailTaken}

    @doc.description("City and role are read from their services at the same time.")
    @doc.raises(UpstreamError, description="The regions or the roles service failed.")
    @doc.raises(GatewayTimeout, description="The regions or the roles service did not answer.")
    async def read(self, request, id, db):
        async with db.acquire() as cur:  # given back before the other services are asked
            user = await super().read(request, id=id, cur=cur)
        await async_request(
            [
                [user, "city_id", get_city(request, user["city_id"])],
                [user, "role_id", get_role(request, user["role_id"])],
            ]
        )
        return user

    async def before_create(self, values):
        values["password"] = await hash_password(values["password"])

    async def before_update(self, values):
        if "password" in values:
            values["password"] = await hash_password(values["password"])
