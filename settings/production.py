"""For deployment: nothing of the desk, and everything else from the environment.

Every setting can be given as a variable of its own name, secrets as `NAME_FILE`. `DATABASE_URL`
must be; `INSTALLED_APPS` and `SERVICES` choose which services this process is and where the
others are. Without them it is all three.
"""

import os

from settings.base import *

_here = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"

DEBUG = False
HOST = "0.0.0.0"
INSTALLED_APPS = ("apps.regions", "apps.roles", "apps.users")
SERVICES = {"regions": {"url": _here}, "roles": {"url": _here}}
