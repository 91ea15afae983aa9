"""The settings of the shop: callers say who they are."""

from tests.collection.shop import ByName

SERVICE_NAME = "shop"
INSTALLED_APPS = ("tests.acceptance.shop",)
AUTHENTICATORS = {"name": ByName()}
SWAGGER = {
    "version": "1.0.0",
    "title": "shop",
    "description": "Notes of people, tags by slug, memberships by two keys.",
    "contact_email": "team@example.com",
    "license": {"name": "MIT", "identifier": "MIT"},
    "servers": [{"url": "/", "description": "Where this document is."}],
}
