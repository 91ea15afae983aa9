"""What the tests run with: all apps, an embedded PostgreSQL, and no other service in reach.

The `services` fixture answers for the entries of `SERVICES`; nothing listens at their ports.
"""

import secrets

from settings.access import build_issuer, find_key
from settings.base import *

_issuer = build_issuer(find_key() or secrets.token_hex(32))

DEBUG = True
SERVICE_NAME = "test"
INSTALLED_APPS = ("apps.accounts", "apps.regions", "apps.roles", "apps.users")
SERVICES = {"regions": {"url": "http://127.0.0.1:9"}, "roles": {"url": "http://127.0.0.1:9"}}
ACCESS_LOG = False
TRACE_LOG = False
DB_MAX_SIZE = 4
AUTHENTICATORS = {"token": _issuer.bearer()}
EXTRA = {"issuer": _issuer, "new_account_scopes": ("roles:write",)}
