"""Sanic's listeners for the main process, which the supervisor calls.

Runs in the first process of `runserver`, where there are workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sanic.server.events import trigger_events

from msframework.app import Service


class MainProcessListeners:
    """Calls the listeners of *service* that are not for a worker, on a loop of their own."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._loop = asyncio.new_event_loop()

    def call(self, event: str, **arguments: Any) -> None:
        """Call the listeners of *event*, in the order of Sanic."""
        trigger_events(self._service.listeners[event], self._loop, self._service, **arguments)

    def call_around_change(self, changed: set[str]) -> None:
        """Call those that hear of files that changed."""
        self.call("before_reload_trigger")
        self.call("after_reload_trigger", changed=changed)

    @property
    def shared_context(self) -> dict[str, Any]:
        """The attributes of `app.shared_ctx`, which workers are to have."""
        return {
            name: value for name, value in vars(self._service.shared_ctx).items() if name != "_lock"
        }

    @contextmanager
    def around(self, *, reloads: bool) -> Iterator[None]:
        """Call those of the main process before and after the block, and close the loop.

        Args:
            reloads: whether those of the reloader are called afterwards, too.
        """
        self.call("main_process_start")
        self.call("main_process_ready")
        try:
            yield
        finally:
            if reloads:
                self.call("reload_process_stop")
            self.call("main_process_stop")
            self._loop.close()
