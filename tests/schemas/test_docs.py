"""The code of the page about schemas runs as printed, from top to bottom."""

import re

from tests.console import ROOT

PAGE = ROOT / "docs" / "concepts" / "schemas.md"


def test_the_code_of_the_page_runs():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict = {"__name__": "schemas_page"}

    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)

    assert len(blocks) == 5
    assert names["compiled"].calls.compiled == 1
