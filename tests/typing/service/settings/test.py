"""What the shop's tests run with: an embedded PostgreSQL, and no other service in reach."""

DEBUG = True
SERVICE_NAME = "shop"
INSTALLED_APPS = ("shop",)
CONFIGURE = "shop.access.configure"
SERVICES = {"suppliers": {"url": "http://127.0.0.1:9"}}
ACCESS_LOG = False
TRACE_LOG = False
