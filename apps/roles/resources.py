"""The endpoints of the roles service."""

from apps.roles.errors import RoleNameTaken
from apps.roles.models import Role
from apps.roles.schemas import RoleSchema
from msframework import Blueprint, NotFound, Resource, Scopes, doc

roles = Blueprint(
    "roles",
    url_prefix="/roles",
    description="What users may be.",
    guards=(Scopes("roles:write").on("POST", "PUT", "PATCH", "DELETE"),),
)


@roles.resource("/")
class RoleList(Resource):
    """All roles."""

    @doc.summary("List roles")
    @doc.paginate(max_per_page=100)
    @doc.produces(RoleSchema(many=True))
    async def get(self, request, page, cur):
        return await page.fetch(cur, Role.select().order_by(Role.id))

    @doc.summary("Create a role")
    @doc.consumes(RoleSchema)
    @doc.produces({"id": int}, status=201)
    @doc.raises(RoleNameTaken, constraint="roles_name")
    async def post(self, request, body, tx):
        return await tx.fetchrow(Role.insert(**body).returning(Role.id))


@roles.resource("/<id:int>")
class RoleDetail(Resource):
    """One role."""

    @doc.summary("Read a role")
    @doc.produces(RoleSchema)
    @doc.raises(NotFound)
    async def get(self, request, id, cur):
        role = await cur.fetchrow("SELECT * FROM roles WHERE id = $1", id)
        if role is None:
            raise NotFound(error=f"no role {id}")
        return role

    @doc.summary("Replace a role")
    @doc.description("What the body leaves out is set to its default.")
    @doc.consumes(RoleSchema)
    @doc.produces(RoleSchema)
    @doc.raises(NotFound)
    @doc.raises(RoleNameTaken, constraint="roles_name")
    async def put(self, request, id, body, tx):
        return await self.change(tx, id, {"description": None, **body})

    @doc.summary("Change a role")
    @doc.description("What the body leaves out stays as it is; null empties the description.")
    @doc.consumes(RoleSchema)
    @doc.produces(RoleSchema)
    @doc.raises(NotFound)
    @doc.raises(RoleNameTaken, constraint="roles_name")
    async def patch(self, request, id, body, tx):
        return await self.change(tx, id, body)

    @doc.summary("Delete a role")
    @doc.produces(status=204)
    @doc.raises(NotFound)
    async def delete(self, request, id, tx):
        gone = await tx.fetchval("DELETE FROM roles WHERE id = $1 RETURNING id", id)
        if gone is None:
            raise NotFound(error=f"no role {id}")

    async def change(self, tx, id, values):
        """Write *values* into the role, and return all of it."""
        chosen = Role.id == id
        query = (
            Role.update(**values).where(chosen).returning(Role)
            if values
            else Role.select().where(chosen)
        )
        role = await tx.fetchrow(query)
        if role is None:
            raise NotFound(error=f"no role {id}")
        return role
