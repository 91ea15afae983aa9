"""All three services in one process, on an embedded PostgreSQL, for one desk alone."""

import os

from settings.base import *

# The services call each other at the address that this process itself listens on.
_here = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"

DEBUG = True
AUTO_MIGRATE = True
SERVICE_NAME = "development"
INSTALLED_APPS = ("apps.regions", "apps.roles", "apps.users")
SERVICES = {"regions": {"url": _here}, "roles": {"url": _here}}
