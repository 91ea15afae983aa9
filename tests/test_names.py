"""The names and texts of the code: one meaning for each name, and no reference to what is gone."""

import ast
import re
from collections import defaultdict

import pytest

from tests.test_architecture import MODULES, ROOT, tree_of

# The names that have several meanings today. A name goes from here when one of them is renamed.
SHARED = {
    "Answer": "an operation's, the bytes of one, and the public one of a test",
    "Call": "of a method of asyncpg's connection, and the public one of a mocked service",
    "Converter": "of a column's values, and of a schema into JSON Schema",
    "Errors": "an alias, of those who collect them",
    "Options": "of a call to a service, and of asyncpg's methods",
    "Pairs": "of headers as they are written, and of forms as they are read",
    "Source": "of an input, and of leases",
    "Texts": "of path parameters, and the columns of a table that hold any",
    "Ticks": "an alias, of those who count microseconds",
}
_CITED = re.compile(r"\b((?:benchmarks|docs|tests|apps|settings)/[\w./-]*\w\.(?:py|md|yml))")


def defined_names() -> dict[str, set[str]]:
    """Return the public classes and aliases of the package, with the modules of each."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in MODULES:
        for node in tree_of(module).body:
            if isinstance(node, ast.ClassDef):
                found[node.name].add(module)
            for target in _aliases(node):
                if re.match(r"[A-Z]+[a-z]", target):
                    found[target].add(module)
    return {name: modules for name, modules in found.items() if not name.startswith("_")}


def _aliases(node: ast.stmt) -> list[str]:
    """Return the names that *node* gives to types: `Row: TypeAlias = …`, `Row = dict[…]`."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id] if "TypeAlias" in ast.dump(node.annotation) else []
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp):
        return [each.id for each in node.targets if isinstance(each, ast.Name)]
    return []


def test_a_name_means_one_thing():
    several = {name: sorted(found) for name, found in defined_names().items() if len(found) > 1}

    assert {name: several[name] for name in several.keys() - SHARED.keys()} == {}


@pytest.mark.parametrize("name", MODULES)
def test_files_that_a_module_cites_exist(name):
    cited = set(_CITED.findall(MODULES[name].read_text(encoding="utf-8")))

    assert {path for path in cited if not (ROOT / path).exists()} == set()
