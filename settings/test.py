"""What the tests run with: all apps, an embedded PostgreSQL, and no other service in reach.

The `services` fixture answers for the entries of `SERVICES`; nothing listens at their ports.
"""

from settings.base import *

DEBUG = True
SERVICE_NAME = "test"
INSTALLED_APPS = ("apps.regions", "apps.roles", "apps.users")
SERVICES = {"regions": {"url": "http://127.0.0.1:9"}, "roles": {"url": "http://127.0.0.1:9"}}
ACCESS_LOG = False
TRACE_LOG = False
DB_MAX_SIZE = 4
