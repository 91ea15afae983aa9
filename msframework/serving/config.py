"""Sanic's own configuration, as the settings want it. Runs at start-up."""

from __future__ import annotations

from sanic.config import Config

from msframework.conf.settings import ServerSettings
from msframework.types import Row


def build_config(server: ServerSettings) -> Config:
    """Return the configuration that Sanic is given; its environment variables are not read."""
    defaults: Row = {
        "ACCESS_LOG": False,
        "AUTO_EXTEND": False,
        "FALLBACK_ERROR_FORMAT": "json",
        "FORWARDED_SECRET": server.forwarded_secret,
        "GRACEFUL_SHUTDOWN_TIMEOUT": server.graceful_timeout,
        "KEEP_ALIVE_TIMEOUT": server.keep_alive_timeout,
        "MOTD": False,
        "PROXIES_COUNT": server.proxies_count,
        "REAL_IP_HEADER": server.real_ip_header,
        "REQUEST_MAX_SIZE": server.request_max_size,
        "REQUEST_TIMEOUT": server.request_timeout,
        "RESPONSE_TIMEOUT": server.response_timeout,
    }
    return Config(defaults=defaults, env_prefix=None)
