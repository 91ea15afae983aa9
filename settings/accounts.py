"""The accounts service alone, at the desk: `manage.py runserver --settings settings.accounts`."""

from settings.access import build_issuer, desk_key
from settings.base import *

_issuer = build_issuer(desk_key())

DEBUG = True
AUTO_MIGRATE = True
SERVICE_NAME = "accounts"
PORT = 8004
INSTALLED_APPS = ("apps.accounts",)
AUTHENTICATORS = {"token": _issuer.bearer()}
EXTRA = {
    "issuer": _issuer,
    # At the desk everybody who registers may do everything.
    "new_account_scopes": ("regions:write", "roles:write", "users:write"),
}
