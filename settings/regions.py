"""The regions service alone, at the desk: `manage.py runserver --settings settings.regions`."""

from settings.access import build_issuer, desk_key
from settings.base import *

DEBUG = True
AUTO_MIGRATE = True
SERVICE_NAME = "regions"
PORT = 8002
INSTALLED_APPS = ("apps.regions",)
AUTHENTICATORS = {"token": build_issuer(desk_key()).bearer()}
