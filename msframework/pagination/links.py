"""The `Link` header of a page: where the pages beside it are (RFC 8288). Runs per request.

Each link is a query alone (`<?page=2&per_page=10>`), a relative reference that keeps the path of
the request's URL (RFC 3986, 5.2.2): so it holds behind a proxy that changes the host, the scheme or
the start of the path.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_plus

from msframework.headers import OwnHeaders

# Proxies refuse an answer whose whole head is longer than their buffer, often 4096 bytes.
LONGEST_LINKS: Final = 2048
_SAFE: Final = "-._~!$&'()*+,;=:@/?%"
_is_safe: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*").fullmatch


class PageLinks(NamedTuple):
    """The values of the parameter that leads to other pages; `None` where there is no such page.

    Attributes:
        name: the parameter's.
        first: an empty text is the page without the parameter.
    """

    name: str
    first: str | int | None = None
    prev: str | int | None = None
    next: str | int | None = None
    last: str | int | None = None


def link_pages(query: str, links: PageLinks, own: OwnHeaders | None) -> OwnHeaders | None:
    """Return the headers *own* of an answer to a request with *query*, and `Link`.

    Of links that would make the header too long the first, and then the previous, are left out.
    """
    name, first, prev, next_, last = links
    rest = _leave_out(query, name) if query else ""
    start = f"<?{name}="
    # PERF: one text for each link, as every page has them (benchmarks/README.md, row list).
    found = []
    if next_ is not None:
        found.append(f'{start}{next_}{rest}>; rel="next"')
    if prev is not None:
        found.append(f'{start}{prev}{rest}>; rel="prev"')
    if first == "":
        found.append(f'<?{rest[1:]}>; rel="first"')
    elif first is not None:
        found.append(f'{start}{first}{rest}>; rel="first"')
    if last is not None:
        found.append(f'{start}{last}{rest}>; rel="last"')
    text = ", ".join(found)
    while len(text) > LONGEST_LINKS:
        found.pop()
        text = ", ".join(found)
    return OwnHeaders.add("link", text, own) if found else own


def _leave_out(query: str, name: str) -> str:
    """Return the parameters of *query* but for *name*, each with a `&` before it."""
    kept = ""
    for part in query.split("&"):
        key = part.partition("=")[0]
        if part and key != name and ("%" not in key or unquote_plus(key) != name):
            kept += "&" + part
    return kept if _is_safe(kept) else quote(kept, safe=_SAFE)
