"""Rate limits and the concurrency limit of a service; nothing here knows of HTTP."""
