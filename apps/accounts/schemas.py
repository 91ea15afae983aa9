"""The schemas of requests and answers of the accounts service."""

from marshmallow.validate import Length

from apps.accounts.models import Account
from msframework import ModelSchema, Schema
from msframework.schemas import fields


class CredentialsSchema(Schema):
    """The email and password to register or log in with."""

    email = fields.Email(required=True, validate=Length(max=128))
    password = fields.String(required=True, load_only=True, validate=Length(8, 128))


class RefreshSchema(Schema):
    """The refresh token of the last log-in or refresh."""

    refresh_token = fields.String(required=True, load_only=True, validate=Length(max=128))


class TokenSchema(Schema):
    """An access token, and what renews it (RFC 6749, 5.1)."""

    access_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True, metadata={"description": "seconds"})
    refresh_token = fields.String(required=True)
    scope = fields.String(required=True)


class AccountSchema(ModelSchema):
    """An account."""

    class Meta:
        model = Account
        fields = ("id", "email", "scopes", "create_time")
