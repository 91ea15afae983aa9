"""The tables of the accounts service."""

from msframework.models import (
    CharField,
    DateTimeTZField,
    FixedCharField,
    ForeignKeyField,
    Model,
    TextField,
    UUIDField,
    utcnow,
)


class Account(Model):
    """Somebody who may log in; `scopes` is written as in a token, `users:write roles:write`."""

    email = CharField(max_length=128, unique=True, verbose_name="email, in small letters")
    password = CharField(max_length=255, verbose_name="salted hash of the password")
    scopes = TextField(default="", verbose_name="what the account may do")
    create_time = DateTimeTZField(default=utcnow, verbose_name="create time")

    class Meta:
        table_name = "accounts"


class Session(Model):
    """One log-in: a chain of refresh tokens, of which the last one is valid.

    A session without a digest was ended because a refresh token was used twice.
    """

    id = UUIDField(primary_key=True)
    account = ForeignKeyField(Account, on_delete="CASCADE", verbose_name="who logged in")
    digest = FixedCharField(max_length=64, null=True, verbose_name="SHA-256 of the valid token")
    expire_time = DateTimeTZField(verbose_name="when the valid token expires")

    class Meta:
        table_name = "sessions"
