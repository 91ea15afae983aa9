"""For deployment: nothing of the desk, and everything else from the environment.

Every setting can be given as a variable of its own name, secrets as `NAME_FILE`. `DATABASE_URL`
must be, and `ACCESS_KEY`, which signs the tokens of callers; `INSTALLED_APPS` and `SERVICES` choose
which services this process is and where the others are. Without them it is all four.
"""

import os

from settings.access import build_issuer, require_key
from settings.base import *

_issuer = build_issuer(require_key())
_here = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"

DEBUG = False
HOST = "0.0.0.0"
INSTALLED_APPS = ("apps.accounts", "apps.regions", "apps.roles", "apps.users")
SERVICES = {"regions": {"url": _here}, "roles": {"url": _here}}
AUTHENTICATORS = {"token": _issuer.bearer()}
# An operator gives rights: UPDATE accounts SET scopes = 'users:write' WHERE email = …
EXTRA = {"issuer": _issuer, "new_account_scopes": ()}
