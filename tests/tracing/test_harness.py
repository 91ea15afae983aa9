"""opentracing's own checks of a tracer and of a scope manager."""

import contextvars
import sys
import unittest
from unittest import mock

# NOTE: the harness imports the package that became unittest.mock.
sys.modules.setdefault("mock", mock)

from opentracing.harness.api_check import APICompatibilityCheckMixin  # noqa: E402
from opentracing.harness.scope_check import ScopeCompatibilityCheckMixin  # noqa: E402

from msframework.tracing import ScopeManager, Tracer  # noqa: E402


class OwnContext(unittest.TestCase):
    """Runs each check in a context of its own: some leave a scope open on purpose."""

    def run(self, result=None):
        return contextvars.Context().run(super().run, result)


class TestAPI(OwnContext, APICompatibilityCheckMixin):
    def tracer(self):
        return Tracer()

    def is_parent(self, parent, span):
        return span.parent_id == (None if parent is None else parent.span_id)


class TestScope(OwnContext, ScopeCompatibilityCheckMixin):
    def scope_manager(self):
        return ScopeManager()
