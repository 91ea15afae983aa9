"""The code on the pages about tracing and logging runs."""

import re
from pathlib import Path

import opentracing
import pytest

CONCEPTS = Path(__file__).resolve().parents[2] / "docs" / "concepts"
BLOCKS = [
    pytest.param(code, id=f"{page}-{number}")
    for page in ("tracing", "logging")
    for number, code in enumerate(
        re.findall(r"```python\n(.*?)```", (CONCEPTS / f"{page}.md").read_text(), re.DOTALL)
    )
]


@pytest.mark.parametrize("code", BLOCKS)
async def test_a_block_of_code_runs(code, monkeypatch):
    monkeypatch.setattr(opentracing, "tracer", opentracing.Tracer())
    names = {"__name__": "page"}
    exec(compile(code, "page", "exec"), names)

    if "place_order" in names:
        assert await names["place_order"](None, []) is None  # opentracing's own tracer is set
    if "get_city" in names:
        assert await names["get_city"](None, 7) == 7
    if "context" in names:
        assert names["context"].sampled
