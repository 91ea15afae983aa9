"""Calls to other services: one client, and so one pool of kept-alive connections, for each."""

from __future__ import annotations

from msframework.client.caller import BoundClient
from msframework.client.client import Client, Clients
from msframework.client.exchange import Options
from msframework.client.response import Response

__all__ = ["BoundClient", "Client", "Clients", "Options", "Response"]
