"""The reference of all settings, as Markdown: `python -m msframework.conf.reference`.

Runs when the documentation is made (`make reference`), never in a service.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from msframework.conf.catalogue import Declaration, declarations
from msframework.conf.convert import expected
from msframework.conf.settings import ServiceEntry, Settings

_HEAD = """# Settings

Every name that a settings module may hold, and that a variable of the environment (`NAME`, or
`NAME_FILE` for a file that holds the value) may override. Times are in seconds, sizes in bytes.
[How settings are read](../concepts/settings.md) tells the rest.

This page is written by `make reference`, from the declarations in `msframework/conf/settings.py`.
"""

_TITLES = {"openapi": "OpenAPI", "server": "HTTP", "tls": "TLS"}
_ORIGIN = """
## Second names

| name | stands for |
|---|---|
| `APP_ID` | `SERVICE_NAME` |
| `DB_CONFIG` | `DATABASE_URL` from `host`, `port`, `user`, `password`, `database`, `ssl` or \
`dsn`, and the limits of the pool from `min_size`, `max_size`, `timeout`, `command_timeout`, \
`statement_cache_size`, `max_inactive_connection_lifetime` |
"""


def render_reference() -> str:
    """Return the text of `docs/reference/settings.md`."""
    return "\n".join([_HEAD, *_sections(), *_services(), _ORIGIN])


def _sections() -> Iterator[str]:
    titles = {"": "Service"} | {
        item.name: _TITLES.get(item.name, item.name.capitalize())
        for item in fields(Settings)
        if not item.metadata and item.name != "module"
    }
    for section, title in titles.items():
        yield f"## {title}\n\n| name | value | default | for |\n|---|---|---|---|"
        yield from (
            _row(declared) for declared in declarations().values() if declared.section == section
        )
        yield ""


def _row(declared: Declaration) -> str:
    cells = (f"`{declared.name}`", expected(declared), _code(declared.default), declared.help)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _code(value: object) -> str:
    return f"`{value!r}`"


def _services() -> Iterator[str]:
    notes = {
        "url": "where the service is: `http://` or `https://`, no user name in it",
        "total_timeout": "time for one call, all in all",
        "connect_timeout": "time to open a connection",
        "limit": "connections kept to it at most",
        "headers": "headers of every call",
        "ca": "path of the CA certificates to trust for it, in place of the system's",
        "cert": "path of the client certificate to present, with its intermediates",
        "key": "path of that certificate's private key",
    }
    yield "## An entry of `SERVICES`\n"
    yield "`SERVICES = {'regions': {'url': 'http://regions:8000'}}`; the URL alone will do, too.\n"
    yield "| key | default | for |\n|---|---|---|"
    entry = ServiceEntry("", "")
    for item in fields(ServiceEntry):
        if item.name != "name":
            default = "" if item.name == "url" else _code(getattr(entry, item.name))
            yield f"| `{item.name}` | {default} | {notes[item.name]} |"


if __name__ == "__main__":
    print(render_reference(), end="")
