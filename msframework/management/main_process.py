"""Sanic's listeners for the main process, which the supervisor calls.

Runs in the first process of `runserver`, where there are workers.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sanic.server.events import trigger_events

from msframework.app import Service


class MainProcessListeners:
    """Calls the listeners of *service* that are not for a worker; a context manager.

    They run on a loop of their own, which stands still meanwhile.

    Args:
        service: the service, which is not served here.
        reload: whether files are watched.
    """

    def __init__(self, service: Service, *, reload: bool) -> None:
        self._service, self._reload = service, reload
        self._loop = asyncio.new_event_loop()

    def __enter__(self) -> MainProcessListeners:
        self._call("main_process_start")
        self._call("main_process_ready")
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            if self._reload:
                self._call("reload_process_stop")
            self._call("main_process_stop")
        finally:
            self._loop.close()

    def begin_watching(self) -> None:
        """Call those that hear of it, once workers serve."""
        if self._reload:
            self._call("reload_process_start")

    def call_around_change(self, changed: set[str]) -> None:
        """Call those that hear of files that changed."""
        self._call("before_reload_trigger")
        self._call("after_reload_trigger", changed=changed)

    @property
    def shared_context(self) -> dict[str, Any]:
        """The attributes of `app.shared_ctx`, which workers are to have."""
        values = vars(self._service.shared_ctx)
        return {name: values[name] for name in sorted(values.keys() - {"_lock"})}

    def _call(self, event: str, **arguments: Any) -> None:
        """Call the listeners of *event*, as Sanic does."""
        trigger_events(self._service.listeners[event], self._loop, self._service, **arguments)
