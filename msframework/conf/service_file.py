"""A service of libpq's: an entry of `pg_service.conf` that an address names. Runs at start-up.

PostgreSQL's documentation, 34.17, says where the file is and what stands in it. It is read here for
both drivers, as asyncpg reads another file than libpq, and in another way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from msframework.conf.address_text import AddressFault

_KEY: Final = re.compile(r"(?!service)[a-z_]{1,40}")


def read_service(name: str, path: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of the service *name*.

    Args:
        path: the file, when one is named.

    Raises:
        AddressFault: there is no such service, or its file cannot be read.
    """
    files = [Path(path)] if path else list(_usual_files(environ))
    for file in files:
        try:
            lines = file.read_text("utf-8").splitlines()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as exc:
            raise AddressFault(
                f"names a service, whose file {file} cannot be read ({type(exc).__name__})",
                "a file in UTF-8 that may be read",
                "Mend the file or its mode.",
            ) from None
        found = _section(name, lines, file)
        if found is not None:
            return found
    places = ", ".join(map(str, files)) or "no file"
    raise AddressFault(
        f"names a service that {places} does not have",
        "the name of a section in brackets",
        "Mend the name, or set PGSERVICEFILE.",
    )


def _usual_files(environ: Mapping[str, str]) -> Iterator[Path]:
    home = environ.get("HOME")
    if home:
        yield Path(home) / ".pg_service.conf"
    if environ.get("PGSYSCONFDIR"):
        yield Path(environ["PGSYSCONFDIR"]) / "pg_service.conf"


def _section(name: str, lines: list[str], file: Path) -> dict[str, str] | None:
    found: dict[str, str] | None = None
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if found is not None:
                break
            found = {} if line == f"[{name}]" else None
        elif found is not None:
            key, equals, value = line.partition("=")
            if not _KEY.fullmatch(key) or not equals or key in found:
                raise AddressFault(
                    f"names a service, whose file {file} has a line {number} that cannot be read",
                    "name=value, each name once",
                    "Mend the line.",
                )
            found[key] = value
    return found
