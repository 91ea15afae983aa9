"""The endpoints of the roles service."""

from apps.roles.errors import RoleNameTaken
from apps.roles.schemas import RoleSchema
from msframework import Blueprint, ModelResource, Scopes

roles = Blueprint(
    "roles",
    url_prefix="/roles",
    description="What users may be.",
    guards=(Scopes("roles:write").on("POST", "PUT", "PATCH", "DELETE"),),
)


@roles.collection("/", item="/<id:int>")
class Roles(ModelResource):
    """What users may be."""

    schema = RoleSchema
    created_schema = {"id": int}
    raises = {"roles_name": RoleNameTaken}
