"""What the users service reads and answers."""

from marshmallow.validate import Length, Range

from apps.users.models import User
from msframework import ModelSchema, Schema
from msframework.schemas import fields

LARGEST_ID = 2**31 - 1  # of an integer column


class UserSchema(ModelSchema):
    """A user; the password goes in, and never comes out."""

    email = fields.Email(required=True, validate=Length(max=128))
    age = fields.Integer(required=True, validate=Range(0, 150))
    password = fields.String(required=True, load_only=True, validate=Length(8, 128))

    class Meta:
        model = User
        fields = ("id", "name", "email", "age", "city_id", "role_id", "password", "create_time")
        dump_only = ("create_time",)


class UserQuery(Schema):
    """Which users to list."""

    city_id = fields.Integer(
        validate=Range(1, LARGEST_ID), metadata={"description": "only users of this city"}
    )
    role_id = fields.Integer(
        validate=Range(1, LARGEST_ID), metadata={"description": "only users of this role"}
    )
