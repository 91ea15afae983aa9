"""The warnings of `check` about settings that a module assigns twice. Runs on the command line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from msframework._place import short_path

_MERGE: Final = {
    "CONFIGURE": "Name one function, and call the others in it.",
    "INSTALLED_APPS": "Name all of them in one tuple.",
}


def find_lost_settings(module: str, seen: set[str] | None = None) -> Iterator[str]:
    """Yield a warning for each setting of *module*, or of those it star-imports, that is lost.

    It is lost where the same file assigns it again, and has not read it before.
    """
    seen = set() if seen is None else seen
    if not module or module in seen:
        return
    seen.add(module)
    path, body = _read(module)
    first: dict[str, int] = {}
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.names[0].name == "*":
            yield from find_lost_settings(node.module or "", seen)
        for each in ast.walk(node):
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load):
                first.pop(each.id, None)
        for name in _assigned(node):
            if name in first:
                advice = _MERGE.get(name, "Write one assignment that has both.")
                yield (
                    f"{path}:{node.lineno}: {name} is assigned again, so its value of line "
                    f"{first[name]} is lost. {advice}"
                )
            first[name] = node.lineno


def _read(module: str) -> tuple[str, list[ast.stmt]]:
    spec = find_spec(module)
    if spec is None or not (spec.origin or "").endswith(".py"):
        return "", []
    path = Path(str(spec.origin))
    return short_path(str(path)), ast.parse(path.read_bytes()).body


def _assigned(node: ast.stmt) -> Iterator[str]:
    """Yield the names in capitals to which a statement of the top level assigns."""
    targets = node.targets if isinstance(node, ast.Assign) else ()
    for target in targets:
        if isinstance(target, ast.Name) and target.id.isupper() and target.id[0] != "_":
            yield target.id
