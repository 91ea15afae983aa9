"""What the tests run with: all apps, an embedded PostgreSQL, and no other service in reach.

The `services` fixture answers for the entries of `SERVICES`; nothing listens at their ports. A call
may take as long as a loaded machine makes it.
"""

import secrets

from settings.access import build_issuer, find_key
from settings.base import *

_issuer = build_issuer(find_key() or secrets.token_hex(32))

DEBUG = True
SERVICE_NAME = "test"
INSTALLED_APPS = ("apps.accounts", "apps.regions", "apps.roles", "apps.users")
_nowhere = {"url": "http://127.0.0.1:9", "total_timeout": 60.0, "connect_timeout": 60.0}
SERVICES = {"regions": _nowhere, "roles": _nowhere}
ACCESS_LOG = False
TRACE_LOG = False
DB_MAX_SIZE = 4
AUTHENTICATORS = {"token": _issuer.bearer()}
EXTRA = {"issuer": _issuer, "new_account_scopes": ("roles:write",)}
