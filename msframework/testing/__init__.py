"""The tools of a service's tests: server, clients, database, mocks of other services."""

from __future__ import annotations

from msframework.testing.answer import Answer, TestResponse
from msframework.testing.budget import BudgetExceeded, assert_steady, budget
from msframework.testing.case import APITestCase
from msframework.testing.client import TestClient
from msframework.testing.replies import Call
from msframework.testing.run import run
from msframework.testing.server import BackgroundServer, serving
from msframework.testing.services import MockService

__all__ = [
    "APITestCase",
    "Answer",
    "BackgroundServer",
    "BudgetExceeded",
    "Call",
    "MockService",
    "TestClient",
    "TestResponse",
    "assert_steady",
    "budget",
    "run",
    "serving",
]
