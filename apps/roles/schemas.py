"""What the roles service reads and answers."""

from apps.roles.models import Role
from msframework import ModelSchema


class RoleSchema(ModelSchema):
    """A role."""

    class Meta:
        model = Role
        fields = ("id", "name", "description", "create_time")
        dump_only = ("create_time",)
