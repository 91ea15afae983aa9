"""Filters, order and search of listings, from the query of a request to SQL.

`FilterSet` declares them, `FilterReader` reads the declaration at start-up, and each request gets
its `Filters`.
"""

from msframework.filters.declaration import FilterSet
from msframework.filters.reader import FilterReader
from msframework.filters.request import Filters

__all__ = ["FilterReader", "FilterSet", "Filters"]
