"""The shape of the code in numbers: sizes, `Any`, prose, names, and what depends on how much.

Reads the source without importing it: `python -m benchmarks.shape`, or with the root of another
checkout behind it, to compare two.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

LONG_FUNCTION = 40  # lines
DEPENDENTS = ("doc", "schemas", "codec", "pagination", "openapi", "compile", "db", "client")
Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | ast.ClassDef | Function
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")


class Module:
    """One module of the package, parsed."""

    def __init__(self, root: Path, path: Path) -> None:
        parts = path.relative_to(root).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self.text = path.read_text(encoding="utf-8")
        self.lines = len(self.text.splitlines())

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of its syntax tree."""
        return list(ast.walk(ast.parse(self.text)))

    def long_functions(self) -> Iterator[tuple[int, str]]:
        """Yield length and name of each function that is longer than a screen."""
        for node in self.nodes:
            if isinstance(node, Function):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONG_FUNCTION:
                    yield lines, f"{self.name}.{node.name}"

    def imports(self, known: dict[str, Module]) -> set[str]:
        """Return the modules of the package that it imports, and the packages around them."""
        found: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = (f"{node.module}.{alias.name}" for alias in node.names)
                found.update(name if name in known else node.module for name in inner)
        # Whatever imports a module runs the packages that it lies in, but for the root.
        for name in list(found):
            parts = name.split(".")
            found.update(".".join(parts[:count]) for count in range(2, len(parts)))
        return found & known.keys()


def read_modules(root: Path) -> dict[str, Module]:
    """Return the modules of `msframework` below *root* by name."""
    paths = sorted((root / "msframework").rglob("*.py"))
    modules = [Module(root, path) for path in paths]
    return {module.name: module for module in modules}


def docstrings(modules: dict[str, Module]) -> list[str]:
    """Return every docstring."""
    nodes = (node for module in modules.values() for node in module.nodes)
    found = (ast.get_docstring(node) for node in nodes if isinstance(node, Documented))
    return [text for text in found if text]


def twice_defined(modules: dict[str, Module]) -> dict[str, int]:
    """Return the names of public classes that several modules define."""
    names: Counter[str] = Counter()
    for module in modules.values():
        classes = {node.name for node in module.nodes if isinstance(node, ast.ClassDef)}
        names.update(name for name in classes if not name.startswith("_") and name != "Meta")
    return {name: count for name, count in sorted(names.items()) if count > 1}


def dependencies(start: str, modules: dict[str, Module]) -> set[str]:
    """Return all modules that an import of *start*, a module or a package, reads."""
    inside = f"msframework.{start}"
    found = {name for name in modules if f"{name}.".startswith(f"{inside}.")}
    left = list(found)
    while left:
        for name in modules[left.pop()].imports(modules) - found:
            found.add(name)
            left.append(name)
    return found


def main() -> None:
    """Print the numbers."""
    modules = read_modules(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    lines = {name: module.lines for name, module in modules.items()}
    total, largest = sum(lines.values()), max(lines, key=lines.__getitem__)
    long = sorted(each for module in modules.values() for each in module.long_functions())
    nodes = (node for module in modules.values() for node in module.nodes)
    anys = sum(isinstance(node, ast.Name) and node.id == "Any" for node in nodes)
    words = [word.lower() for text in docstrings(modules) for word in _WORD.findall(text)]
    whats = words.count("what")
    twice = twice_defined(modules)
    print(f"modules: {len(modules)}, {total} lines")
    print(
        f"median and largest: {statistics.median(lines.values()):g}, {lines[largest]} ({largest})"
    )
    print(f"functions over {LONG_FUNCTION} lines: {len(long)}")
    for length, name in reversed(long):
        print(f"    {length} {name}")
    print(f"Any in 1,000 lines: {1000 * anys / total:.1f} ({anys})")
    print(f'"what" in 1,000 words of docstrings: {1000 * whats / len(words):.1f} ({whats})')
    print(f"class names defined twice: {len(twice)}")
    print("    " + ", ".join(f"{name} ({count})" for name, count in twice.items()))
    for name in DEPENDENTS:
        if reached := dependencies(name, modules):
            print(f"modules that {name} depends on, its own included: {len(reached)}")


if __name__ == "__main__":
    main()
