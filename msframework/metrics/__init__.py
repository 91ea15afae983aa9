"""Counters, gauges and histograms of a service, and their exposition to Prometheus."""

from msframework.metrics.registry import Family, Metrics, Series

__all__ = ["Family", "Metrics", "Series"]
