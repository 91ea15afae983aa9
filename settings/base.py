"""What every way to run the services shares."""

from pathlib import Path

from msframework import Authenticated

LOGGING_CONFIG = Path(__file__).resolve().with_name("logging.yml")
SWAGGER = {
    "version": "1.0.0",
    "title": "msframework",
    "description": "Users, the cities they live in, their roles, and accounts: four services.",
    "contact_email": "team@example.com",
    "license": {"name": "MIT", "identifier": "MIT"},
    "servers": [
        {"url": "/", "description": "Where this document is."},
        {"url": "http://127.0.0.1:8000", "description": "At a desk."},
    ],
}
# Whatever is not marked as public needs a caller who is known; blueprints ask for more.
GUARDS = (Authenticated(),)
