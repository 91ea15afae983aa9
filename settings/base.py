"""What every way to run the services shares."""

from pathlib import Path

LOGGING_CONFIG = Path(__file__).resolve().with_name("logging.yml")
SWAGGER = {
    "version": "1.0.0",
    "title": "msframework",
    "description": "Users, the cities they live in and their roles: three services.",
    "contact_email": "team@example.com",
}
