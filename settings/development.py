"""All services in one process, on an embedded PostgreSQL, for one desk alone."""

import os

from settings.access import build_issuer, desk_key
from settings.base import *

_issuer = build_issuer(desk_key())
# The services call each other at the address that this process itself listens on.
_here = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"

DEBUG = True
AUTO_MIGRATE = True
SERVICE_NAME = "development"
INSTALLED_APPS = ("apps.accounts", "apps.regions", "apps.roles", "apps.users")
SERVICES = {"regions": {"url": _here}, "roles": {"url": _here}}
AUTHENTICATORS = {"token": _issuer.bearer()}
EXTRA = {
    "issuer": _issuer,
    # At the desk everybody who registers may do everything.
    "new_account_scopes": ("regions:write", "roles:write", "users:write"),
}
