"""Finds commands by their files, and the help of each without importing it.

Ours are the modules in `msframework/management/commands`; an app brings its own in
`<app>/management/commands` (one file each, an object named `command`) or in `<app>/commands.py`
(every command in there). Runs on the command line.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Final

import click

from msframework.exceptions import ImproperlyConfigured

BUILT_IN: Final = "msframework.management.commands"


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """One command: the module to import, the name in there, and its first line of help."""

    name: str
    module: str
    attribute: str
    summary: str

    def load(self) -> click.Command:
        """Import the command.

        Raises:
            ImproperlyConfigured: the module has no click command of that name.
        """
        command = getattr(importlib.import_module(self.module), self.attribute, None)
        if not isinstance(command, click.Command):
            raise ImproperlyConfigured(
                f"{self.module}: {self.attribute!r} is {command!r}; expected a click command. "
                f"Decorate a function named {self.attribute!r} with @click.command()."
            )
        return command


def built_in_commands() -> dict[str, CommandEntry]:
    """Return the commands that come with msframework, by name."""
    return {found.name: found for found in _read_package(BUILT_IN)}


def app_commands(apps: Iterable[str]) -> dict[str, CommandEntry]:
    """Return the commands of *apps*, by name; a later app's replaces an earlier one's."""
    found: dict[str, CommandEntry] = {}
    for app in apps:
        for command in (*_read_module(f"{app}.commands"), *_read_package(f"{app}.{_FOLDER}")):
            found[command.name] = command
    return found


_FOLDER: Final = "management.commands"


def _read_package(package: str) -> Iterator[CommandEntry]:
    spec = _spec(package)
    if spec is None or spec.submodule_search_locations is None:
        return
    for module in pkgutil.iter_modules(spec.submodule_search_locations):
        if not module.name.startswith("_"):
            path = f"{package}.{module.name}"
            name = module.name.replace("_", "-")
            yield CommandEntry(name, path, "command", _read_summary(path))


def _read_module(path: str) -> Iterator[CommandEntry]:
    spec = _spec(path)
    if spec is None or spec.submodule_search_locations is not None:
        return
    module: ModuleType = importlib.import_module(path)
    for attribute, value in vars(module).items():
        if isinstance(value, click.Command):
            name = value.name or attribute
            yield CommandEntry(
                name, path, attribute, value.get_short_help_str(limit=_SUMMARY_WIDTH)
            )


_SUMMARY_WIDTH: Final = 70


def _spec(path: str) -> ModuleSpec | None:
    try:
        return find_spec(path)
    except ModuleNotFoundError:
        return None


def _read_summary(path: str) -> str:
    """Return the first sentence of the docstring of the module's `command`."""
    spec = _spec(path)
    if spec is None or spec.origin is None or not spec.has_location:
        return ""
    try:
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return ""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == "command":
            return (ast.get_docstring(node) or "").partition("\n")[0].rstrip(".")
    return (ast.get_docstring(tree) or "").partition("\n")[0].rstrip(".")
