from tests.migrations.support import (
    clean_environment,
    columns,
    project,
    query,
    recorded,
    server_url,
    url,
)

__all__ = ["clean_environment", "columns", "project", "query", "recorded", "server_url", "url"]
