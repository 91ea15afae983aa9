"""Counters, gauges and histograms of a service, and their exposition to Prometheus."""

from msframework.metrics.facts import MetricFacts
from msframework.metrics.family import Family
from msframework.metrics.registry import Metrics
from msframework.metrics.series import Series
from msframework.metrics.shared import SharedMetrics

__all__ = ["Family", "MetricFacts", "Metrics", "Series", "SharedMetrics"]
