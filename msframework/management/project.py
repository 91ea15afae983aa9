"""The project of a command: its settings, read when first asked for, and the output.

Runs on the command line.
"""

from __future__ import annotations

import os
import traceback as tracebacks
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any, Final

import click

from msframework.conf.loader import MODULE_VARIABLE, load_settings
from msframework.conf.settings import Settings
from msframework.exceptions import ImproperlyConfigured

_WIDE: Final = 1000


class Project:
    """The project that the commands work on; passed to each with `click.pass_obj`.

    Args:
        default_settings: the settings module where neither `--settings` nor
            `SANIC_CONFIG_MODULE` names one.
    """

    def __init__(self, default_settings: str | None = None) -> None:
        self.chosen: str | None = None
        self.traceback = False
        self._default = default_settings
        self._settings: Settings | None = None

    @property
    def module(self) -> str | None:
        """The name of the settings module, as far as one was chosen."""
        return self.chosen or os.environ.get(MODULE_VARIABLE) or self._default

    @property
    def settings(self) -> Settings:
        """The settings; the module's name then stands in `SANIC_CONFIG_MODULE` for children.

        Raises:
            ImproperlyConfigured: see `load_settings`.
        """
        if self._settings is None:
            self._settings = load_settings(self.module)
            os.environ[MODULE_VARIABLE] = self._settings.module
        return self._settings

    def prefer_settings(self, module: str) -> None:
        """Use *module* where nothing was chosen, if the project has it."""
        package = module.partition(".")[0]
        if find_spec(package) is not None and find_spec(module) is not None:
            self._default = module

    def override(self, values: Mapping[str, object | None]) -> None:
        """Let options of the command line win: put them where worker processes find them too.

        Must come before `settings` is read; values of `None` were not given.
        """
        for name, value in values.items():
            if value is not None:
                os.environ.pop(f"{name}_FILE", None)
                os.environ[name] = str(value)

    def echo(self, message: Any = "", *, err: bool = False, **style: Any) -> None:
        """Print one line; *style* is click's (`fg="green"`, `bold=True`), dropped in a pipe."""
        click.secho(message, err=err, **style)

    def table(self, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        """Print *rows* under *heads*: folded to the terminal, one line a row in a pipe."""
        from rich.console import Console
        from rich.table import Table

        console = Console(markup=False, highlight=False)
        if not console.is_terminal:
            console = Console(markup=False, highlight=False, width=_WIDE)
        grid = Table(*heads, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            grid.add_row(*row)
        with console.capture() as capture:
            console.print(grid)
        for line in capture.get().splitlines():
            self.echo(line.rstrip())


def describe_failure(exc: BaseException, *, traceback: bool = False) -> str:
    """Return the message of a command that failed by *exc*."""
    if traceback:
        return "".join(tracebacks.format_exception(exc))
    if isinstance(exc, ImproperlyConfigured):
        return str(exc)
    chain = [item for item in (exc, exc.__cause__) if item is not None]
    named = [f"{type(item).__name__}: {item}".removesuffix(": ") for item in chain]
    return f"{', from '.join(named)} (--traceback shows where)"
