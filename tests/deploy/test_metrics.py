"""Dashboard, alert rules and reference agree with the metrics that a service has."""

import json
import re

import pytest
import yaml

from msframework.metrics.facts import MetricKind
from msframework.metrics.reference import own_metrics, render_reference
from tests.console import ROOT

DASHBOARD = ROOT / "deploy" / "grafana" / "msframework.json"
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
PAGE = ROOT / "docs" / "reference" / "metrics.md"
# Metrics that the dashboard leaves out, and why.
NOT_SHOWN: dict[str, str] = {}
# Labels that Prometheus adds, and that of buckets.
_ADDED = {"job", "instance", "le"}
_NAME = re.compile(r"\b(?:msframework|process|python)_\w+")
_SELECTOR = re.compile(r"\b((?:msframework|process|python)_\w+)(?:\{([^}]*)\})?")
_BY = re.compile(r"\bby \(([^)]*)\)")
_SHOWN = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")


@pytest.fixture(scope="module")
def metrics():
    """The metrics by the names of their samples."""
    found = {}
    for facts in own_metrics():
        is_histogram = facts.kind is MetricKind.HISTOGRAM
        suffixes = ("_bucket", "_sum", "_count") if is_histogram else ("",)
        found |= {f"{facts.name}{suffix}": facts for suffix in suffixes}
    return found


def dashboard_queries():
    """Return expression and legend of each query of the dashboard."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [
        (target["expr"], target["legendFormat"])
        for panel in panels
        for target in panel.get("targets", ())
    ]


def rule_queries():
    """Return expression and summary of each rule."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [
        (rule["expr"], rule["annotations"]["summary"])
        for group in groups
        for rule in group["rules"]
    ]


def misfits(metrics, expression, text):
    """Return what *expression* and *text* ask for that no metric has."""
    found = set()
    labels = set(_ADDED)
    for name, selector in _SELECTOR.findall(expression):
        facts = metrics.get(name)
        if facts is None:
            found.add(name)
            continue
        labels |= set(facts.labels)
        asked = set(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)\s*\"", selector))
        found |= {f"{name}{{{label}}}" for label in asked - set(facts.labels) - _ADDED}
    for names in _BY.findall(expression):
        found |= {name for name in re.findall(r"\w+", names) if name not in labels}
    return found | (set(_SHOWN.findall(text)) - labels)


@pytest.mark.parametrize("queries", [dashboard_queries, rule_queries])
def test_every_query_asks_for_what_there_is(metrics, queries):
    asked = queries()

    assert len(asked) > 10
    assert {
        expression: found
        for expression, text in asked
        if (found := misfits(metrics, expression, text))
    } == {}


def test_every_metric_is_shown_or_left_out_for_a_reason(metrics):
    text = " ".join(expression for expression, _ in dashboard_queries())
    shown = {metrics[name].name for name in _NAME.findall(text) if name in metrics}
    names = {facts.name for facts in metrics.values()}

    assert names - shown == NOT_SHOWN.keys(), (
        "give each a panel in deploy/grafana/msframework.json, or a reason in NOT_SHOWN"
    )


def test_panels_lie_side_by_side():
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]

    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_the_reference_is_current():
    assert PAGE.read_text(encoding="utf-8") == render_reference(), "run `make reference`"
