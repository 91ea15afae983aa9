"""Every setting has a test in this folder that sets it, and sees what it does.

The test of `SOME_SETTING` is called `test_some_setting`; that of a key of an entry of `SERVICES` is
called `test_services_key`.
"""

import ast
from dataclasses import fields
from pathlib import Path

import pytest

from msframework.conf.catalogue import declarations
from msframework.conf.origin import aliases
from msframework.conf.settings import ServiceEntry

FUNCTIONS = {
    node.name
    for path in Path(__file__).parent.glob("test_*.py")
    for node in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
}
KEYS = [f"SERVICES_{item.name}" for item in fields(ServiceEntry) if item.name != "name"]


@pytest.mark.parametrize("name", [*declarations(), *aliases(), "DB_CONFIG", *KEYS])
def test_a_setting_has_a_test_of_its_effect(name):
    assert f"test_{name.lower()}" in FUNCTIONS, (
        f"nothing shows what {name} does: write test_{name.lower()} in {Path(__file__).parent}, "
        "which sets it to another value than its default and sees the difference in a service"
    )
