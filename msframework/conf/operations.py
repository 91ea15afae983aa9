"""The settings of operation: the operations port, the stop, and limits."""

from __future__ import annotations

from dataclasses import dataclass

from msframework.conf.declare import Pair, setting


@dataclass(frozen=True, slots=True)
class OperationsSettings:
    """The operations port, the stop and the limits of a service; times in seconds.

    NOTE: the times of a stop are bounded, as poll(2) and others take no more than 24 days.
    """

    port: int | None = setting(
        "OPERATIONS_PORT",
        None,
        "port of /livez, /readyz and /metrics; with DEBUG they are on the service's own, too",
        least=0,
        most=65535,
    )
    host: str | None = setting(
        "OPERATIONS_HOST",
        None,
        "address of that port, or unix:/path, fd:4; if None HOST, or loopback beside a socket",
    )
    drain_delay: float = setting(
        "DRAIN_DELAY",
        0.0,
        "time for which it goes on listening after the signal to stop",
        least=0,
        most=86400,
    )
    ready_services: Pair = setting(
        "READY_SERVICES", (), "names of SERVICES without which the service is not ready"
    )
    max_connections: int | None = setting(
        "MAX_CONNECTIONS",
        None,
        "connections of one worker; if None 10000, or fewer where its open files allow no more",
        least=1,
    )
    shedding: bool = setting(
        "SHEDDING",
        False,
        "refuse the newest requests by 503 when a worker cannot serve all",
    )
    rate_limits: Pair = setting(
        "RATE_LIMITS",
        (),
        "rate limits of each caller over all operations: 1000/minute, 300/minute by address",
        takes_text=True,
    )
    rate_limit_storage: str = setting(
        "RATE_LIMIT_STORAGE",
        "memory://",
        "where rates are counted: memory:// (in each worker), redis://… or valkey://host:6379/0",
        secret=True,
    )

    def host_beside(self, host: str) -> str:
        """Return the address of the operations port of a service that listens at *host*."""
        if self.host is not None:
            return self.host
        return "127.0.0.1" if host.startswith(("unix:", "fd:")) else host
