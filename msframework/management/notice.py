"""`say`: a line that a server writes for people, beside its log.

Runs in the processes of `runserver`. Whoever reads such lines may stop reading or be gone, and the
disk for them may be full: they neither end a server nor keep it waiting.
"""

from __future__ import annotations

import sys
from typing import Any, TextIO

import click

from msframework.log.text import wants_color
from msframework.log.writer import Writer


def say(message: str, *, err: bool = False, **style: Any) -> None:
    """Print one line, or give up after a moment; *style* is click's, dropped in a pipe.

    Args:
        err: whether to print it to standard error.
    """
    stream = sys.stderr if err else sys.stdout
    if not _has_descriptor(stream):
        click.secho(message, err=err, **style)
        return
    line = click.style(message, **style) if style and wants_color(stream) else message
    writer = Writer(stream, str)
    writer.write(f"{line}\n")
    writer.close()


def _has_descriptor(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.fileno() >= 0
    except (AttributeError, OSError, ValueError):  # it is in memory, or closed
        return False
