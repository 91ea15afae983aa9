"""Secrets in the source of a settings module. Runs on the command line.

The source is read, as it shows what the value does not: whether it is a literal, or comes from the
environment.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from msframework._place import short_path
from msframework.conf.catalogue import declarations

_SHOWN: Final = 5
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# The last word of a name decides: TOKEN is a secret, TOKEN_URL tells where to get one.
_SECRET: Final = frozenset(
    ("key", "keys", "secret", "secrets", "password", "passwords", "passwd", "token", "tokens")
)
_HARMLESS: Final = frozenset(("primary", "foreign", "sort", "public", "cache"))
# What is never a secret: public keys, hashes, paths, addresses.
_OPEN: Final = re.compile(
    r"-----BEGIN (CERTIFICATE|[A-Z ]*PUBLIC KEY)-----|sha256:[0-9a-f]{64}$|\$argon2|[./~]|https?:"
    r"|\S+\.(pem|key|crt|json)$"
)
# Their first argument is a key.
_KEYED: Final = frozenset(("JWTBearer", "JWTIssuer", "JWTKey"))
# The members of a JSON Web Key that are private, or symmetric (RFC 7518, 6).
_PRIVATE: Final = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))
_PASSWORD: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/@\s:]*:[^/@\s]+@", re.IGNORECASE)


def find_leaks(module: str) -> list[str]:
    """Return warnings for the first few secrets in the settings *module*."""
    found = list(dict.fromkeys(_leaks_of(module, set())))
    more = len(found) - _SHOWN
    return [*found[:_SHOWN], *([f"{more} more secrets stand in settings modules."] * (more > 0))]


def _leaks_of(module: str, seen: set[str]) -> Iterator[str]:
    """Yield the leaks of *module*, and of modules of the project that it star-imports."""
    path = _source_of(module)
    if path is None or module in seen:
        return
    seen.add(module)
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, SyntaxError, UnicodeDecodeError):  # it was imported from something else
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            package = module.split(".")[: -node.level] if node.level else []
            yield from _leaks_of(".".join((*package, *filter(None, [node.module]))), seen)
    for line, name in _secrets_in(tree):
        yield f"{short_path(str(path))}:{line}: {_text(name)}"


def _source_of(module: str) -> Path | None:
    """Return the file of *module*, `None` outside of the project."""
    loaded = sys.modules.get(module)
    name = getattr(loaded, "__file__", None)
    if name is None:
        try:
            spec = find_spec(module) if module else None
        except (ImportError, ValueError):
            return None
        name = spec.origin if spec is not None else None
    path = Path(name).resolve() if name and name.endswith(".py") else None
    return None if path is None or "site-packages" in path.parts else path


def _text(name: str) -> str:
    found = f"the value of {name} stands in the source, for everybody who may read that. "
    if name in declarations():
        return f"{found}Take it out, and set {name} or {name}_FILE in the environment."
    return (
        f"{found}Read it from the environment (os.environ), or from a file that a variable of the "
        "environment names, as DATABASE_URL_FILE does."
    )


def _secrets_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of each literal that is assigned to a name of secrets."""
    inside: set[ast.AST] = set()  # what was told already: names in there may be the secrets
    for node in ast.walk(tree):
        if node in inside:
            continue
        for name, value in _given(node):
            if any(_is_leak(name, text) for text in _literals(value)):
                inside.update(ast.walk(value))
                yield value.lineno, name


def _given(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield what *node* gives to a name: a setting, a parameter, or the key of a dict."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name | ast.Attribute):
                yield ast.unparse(target), node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield ast.unparse(node.target), node.value
    elif isinstance(node, ast.Call):
        yield from ((each.arg, each.value) for each in node.keywords if each.arg)
        if node.args and ast.unparse(node.func).rpartition(".")[2] in _KEYED:
            yield "key", node.args[0]
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value


def _literals(value: ast.expr) -> Iterator[str]:
    """Yield the texts that *value* holds, or is made of."""
    if isinstance(value, ast.Constant):
        if isinstance(value.value, bytes):
            yield value.value.decode("latin-1")
        elif isinstance(value.value, str):
            yield value.value
    elif isinstance(value, ast.List | ast.Tuple | ast.Set):
        for item in value.elts:
            yield from _literals(item)
    elif isinstance(value, ast.Dict):
        names = [key.value if isinstance(key, ast.Constant) else None for key in value.keys]
        for name, item in zip(names, value.values, strict=True):
            if "kty" not in names or name in _PRIVATE:
                yield from _literals(item)
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        yield from _literals(value.func.value)  # "…".encode()


def _is_leak(name: str, text: str) -> bool:
    if _PASSWORD.match(text):
        return True
    words = [word.lower() for word in _WORDS.findall(name)]
    is_named = bool(words) and words[-1] in _SECRET and _HARMLESS.isdisjoint(words)
    return is_named and bool(text) and _OPEN.match(text) is None
