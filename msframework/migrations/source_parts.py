"""Functions of migration files, taken over into another file. Runs on the command line."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msframework.migrations.migration_file import KNOWN
from msframework.migrations.operations.custom import Run
from msframework.migrations.step import FileStep


class SourceParts:
    """The functions that `Run` calls in *steps*, with all that their files define beside them.

    Names that two files define get the number of the file behind them.

    Attributes:
        imports: the files' imports, but for those of operations.
        body: the source of what they define.
        functions: each function with its name in that source.
    """

    def __init__(self, steps: Sequence[FileStep]) -> None:
        imports: list[str] = []
        bodies: list[str] = []
        functions: list[tuple[Callable[..., object], str]] = []
        taken: set[str] = set()
        for step in steps:
            own = list(_own_functions(step))
            if not own:
                continue
            source = Path(str(step.file)).read_text(encoding="utf-8")
            lines, nodes = _split(source)
            defined = {name for node in nodes for name in _names(node)}
            number = step.name.partition("_")[0]
            renamed = {name: f"{name}_{number}" for name in defined & taken}
            bodies += [_rename(_text(source, node), renamed) for node in nodes]
            taken |= {renamed.get(name, name) for name in defined}
            imports += lines
            functions += [(each, renamed.get(each.__name__, each.__name__)) for each in own]
        self.imports = tuple(dict.fromkeys(imports))
        self.body = "\n\n\n".join(bodies)
        self.functions = tuple(functions)


def _own_functions(step: FileStep) -> Iterator[Any]:
    """Yield the functions of `Run` that the file of *step* defines itself."""
    for each in step.operations:
        if isinstance(each, Run):
            for function in (each.forward, each.backward):
                if getattr(function, "__globals__", None) is vars(step.module):
                    yield function


def _split(source: str) -> tuple[list[str], list[ast.stmt]]:
    """Return the imports of a file, and what else it defines of its own."""
    imports, nodes = [], []
    for number, node in enumerate(ast.parse(source).body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            if getattr(node, "module", "") not in ("msframework.migrations", "__future__"):
                imports.append(ast.unparse(node))
        elif not (number == 0 and isinstance(node, ast.Expr)) and not _is_known(node):
            nodes.append(node)
    return imports, nodes


def _is_known(node: ast.stmt) -> bool:
    return any(name in KNOWN for name in _names(node))


def _names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (each.id for each in node.targets if isinstance(each, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _text(source: str, node: ast.stmt) -> str:
    decorators = getattr(node, "decorator_list", ())
    start = min([node.lineno, *(each.lineno for each in decorators)])
    return "\n".join(source.splitlines()[start - 1 : node.end_lineno])


def _rename(text: str, names: dict[str, str]) -> str:
    """Return *text* with some of its names changed; attributes and keywords are let alone."""
    lines = text.splitlines()
    found = list(tokenize.generate_tokens(io.StringIO(text).readline))
    depth = 0
    changes = []
    for number, token in enumerate(found):
        depth += (token.string in ("(", "[", "{")) - (token.string in (")", "]", "}"))
        if token.type != tokenize.NAME or token.string not in names:
            continue
        is_attribute = number > 0 and found[number - 1].string == "."
        is_keyword = depth > 0 and found[number + 1].string == "="
        if not is_attribute and not is_keyword:
            changes.append(token)
    for token in reversed(changes):
        row, start = token.start
        line = lines[row - 1]
        lines[row - 1] = line[:start] + names[token.string] + line[token.end[1] :]
    return "\n".join(lines)
