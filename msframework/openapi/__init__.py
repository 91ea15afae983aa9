"""The OpenAPI document of a service, and the page that shows it. Runs at start-up."""

from msframework.openapi.spec import build_document
from msframework.openapi.ui import mount_documents

__all__ = ["build_document", "mount_documents"]
