"""What the users service reads and answers."""

from marshmallow.validate import Length, Range

from apps.users.models import User
from msframework import ModelSchema
from msframework.schemas import fields
from msframework.schemas.strict import StrictInteger


class UserSchema(ModelSchema):
    """A user; the password goes in, and never comes out."""

    email = fields.Email(required=True, validate=Length(max=128))
    age = StrictInteger(required=True, validate=Range(0, 150))
    password = fields.String(required=True, load_only=True, validate=Length(8, 128))

    class Meta:
        model = User
        fields = ("id", "name", "email", "age", "city_id", "role_id", "password", "create_time")
        dump_only = ("create_time",)
