from msframework.log import Redactor
from msframework.log.redact import HIDDEN
from msframework.tracing import redact


def test_logs_and_spans_share_one_redactor():
    assert Redactor is redact.Redactor
    assert HIDDEN is redact.HIDDEN
