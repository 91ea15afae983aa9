"""The users service alone, at the desk: `manage.py runserver --settings settings.users`."""

from settings.access import build_issuer, desk_key
from settings.base import *

DEBUG = True
AUTO_MIGRATE = True
SERVICE_NAME = "users"
PORT = 8001
INSTALLED_APPS = ("apps.users",)
SERVICES = {
    "regions": {"url": "http://127.0.0.1:8002"},
    "roles": {"url": "http://127.0.0.1:8003"},
}
AUTHENTICATORS = {"token": build_issuer(desk_key()).bearer()}
