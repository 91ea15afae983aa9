"""The roles service alone, at the desk: `manage.py runserver --settings settings.roles`."""

from settings.access import build_issuer, desk_key
from settings.base import *

DEBUG = True
AUTO_MIGRATE = True
SERVICE_NAME = "roles"
PORT = 8003
INSTALLED_APPS = ("apps.roles",)
AUTHENTICATORS = {"token": build_issuer(desk_key()).bearer()}
