"""Serves the document, and Swagger UI to read it with, from the files of `swagger-ui-py`.

`mount_documents` runs at start-up and renders everything to bytes; the handlers only send it.
"""

from __future__ import annotations

import hashlib
import html
import json
import posixpath
from base64 import b64encode
from collections.abc import Callable, Coroutine, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sanic import Request
from sanic.response import HTTPResponse, file, raw

from msframework.conf.settings import Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.openapi.spec import build_document
from msframework.operation import Operation

if TYPE_CHECKING:
    from msframework.application import Application

# NOTE: tools that inject arguments read the annotations of all handlers, ours too.
Send = Callable[[Request], Coroutine[Any, Any, HTTPResponse]]
_FILES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "index.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_REDIRECT = "oauth2-redirect.html"
_SCRIPT = "docs.js"
_MAX_AGE = 3600  # seconds; the files change with a release of swagger-ui-py
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" type="image/png" href="{here}favicon-32x32.png">
<link rel="stylesheet" href="{here}swagger-ui.css">
<link rel="stylesheet" href="{here}index.css">
</head>
<body>
<div id="swagger-ui" data-document="{document}" data-redirect="{here}oauth2-redirect.html"></div>
<noscript>This page needs JavaScript. The document itself: <a href="{document}">{document}</a>
</noscript>
<script src="{here}swagger-ui-bundle.js"></script>
<script src="{here}docs.js"></script>
</body>
</html>
"""
_JAVASCRIPT = b"""\
"use strict";
const place = document.getElementById("swagger-ui");
window.ui = SwaggerUIBundle({
  url: place.dataset.document,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  oauth2RedirectUrl: new URL(place.dataset.redirect, window.location.href).href,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
"""
# Swagger UI sets style attributes, hence 'unsafe-inline' for styles; its icons are data: images.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src {connect}; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def mount_documents(
    service: Application, operations: Sequence[Operation], settings: Settings
) -> None:
    """Add the routes of the document (`OPENAPI_URL`) and of the docs page (`DOCS_URL`).

    They are plain Sanic handlers, and no Operations: neither documented nor, without guards,
    traced. The page names all it loads relative to itself, so it works under any path prefix, be it
    a route's or a proxy's. Does nothing where `OPENAPI` is off.

    Raises:
        ImproperlyConfigured: as `build_document`, or swagger-ui-py is not installed.
    """
    openapi = settings.openapi
    if not openapi.enabled:
        return
    body = json.dumps(
        build_document(operations, settings), ensure_ascii=False, separators=(",", ":")
    ).encode()
    send = _sender(body, "application/json", _caching(settings))
    _add(service, openapi.url, "openapi_document", send)
    if openapi.docs_url is not None:
        _mount_page(service, openapi.docs_url.rstrip("/"), settings)


def _mount_page(service: Application, docs_path: str, settings: Settings) -> None:
    folder = _static_folder()
    title = settings.openapi.info.get("title") or settings.service_name
    policy = {
        **_caching(settings),
        "content-security-policy": _POLICY.format(connect=_connect_sources(settings)),
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
    pages = [
        _sender(
            _render(title, path, settings.openapi.url),
            "text/html; charset=utf-8",
            policy,
        )
        for path in (docs_path, f"{docs_path}/")
    ]

    async def send_page(request: Request) -> HTTPResponse:
        return await pages[request.path.endswith("/")](request)

    _add(service, docs_path or "/", "docs_page", send_page)
    script = _sender(_JAVASCRIPT, "text/javascript; charset=utf-8")
    _add(service, f"{docs_path}/{_SCRIPT}", "docs_script", script)
    for name, media_type in _FILES.items():
        route_name = f"docs_{name.replace('.', '_').replace('-', '_')}"
        _add(service, f"{docs_path}/{name}", route_name, _file_sender(folder / name, media_type))
    if any(scheme.get("type") == "oauth2" for scheme in settings.openapi.security_schemes.values()):
        redirect = (folder / _REDIRECT).read_bytes()
        send = _sender(redirect, "text/html; charset=utf-8", _redirect_policy(redirect))
        _add(service, f"{docs_path}/{_REDIRECT}", "docs_oauth2_redirect", send)


def _add(service: Application, path: str, name: str, handler: Send) -> None:
    service.add_route(handler, path, methods=("GET", "HEAD"), name=name)


def _sender(body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Send:
    """Return the handler that sends *body*, or 304 to who has it already (RFC 9110, 13.1.2)."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    sent = {"etag": etag, "cache-control": "no-cache", **(headers or {})}

    async def send(request: Request) -> HTTPResponse:
        if etag in request.headers.get("if-none-match", ""):
            return HTTPResponse(status=304, headers=dict(sent))
        return raw(body, headers=dict(sent), content_type=media_type)

    return send


def _caching(settings: Settings) -> Mapping[str, str]:
    """Return the header that keeps guarded pages out of shared caches (RFC 9111, 5.2.2.7)."""
    return {"cache-control": "private, no-cache"} if settings.openapi.guards else {}


def _file_sender(path: Path, media_type: str) -> Send:
    async def send(request: Request) -> HTTPResponse:
        return await file(
            path, request_headers=request.headers, mime_type=media_type, max_age=_MAX_AGE
        )

    return send


def _render(title: str, path: str, document_path: str) -> bytes:
    """Return the page as it is at *path*, with everything named relative to that."""
    folder, _, last = path.rpartition("/")
    here = f"{last}/" if last else ""
    document = posixpath.relpath(document_path, folder or "/")
    return _PAGE.format(
        title=html.escape(title), here=html.escape(here), document=html.escape(document)
    ).encode()


def _static_folder() -> Path:
    spec = find_spec("swagger_ui")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    folder = Path(places[0]) / "static" if places else None
    if folder is None or not all((folder / name).is_file() for name in (*_FILES, _REDIRECT)):
        raise ImproperlyConfigured(
            "DOCS_URL is set, but the files of Swagger UI cannot be found. "
            "Install swagger-ui-py, or set DOCS_URL to None."
        )
    return folder


def _connect_sources(settings: Settings) -> str:
    """Return where the page may send requests: here, to the servers, and for tokens."""
    found = {"'self'": None}
    for server in settings.openapi.info.get("servers", ()):
        url = urlsplit(str(server["url"]))
        if url.scheme in ("http", "https") and url.netloc:
            found[f"{url.scheme}://{url.netloc}"] = None
    for scheme in settings.openapi.security_schemes.values():
        for flow in (scheme.get("flows") or {}).values():
            url = urlsplit(str(flow.get("tokenUrl", "")))
            if url.scheme in ("http", "https") and url.netloc:
                found[f"{url.scheme}://{url.netloc}"] = None
    return " ".join(found)


def _redirect_policy(page: bytes) -> Mapping[str, str]:
    """Allow the one script that stands in the page where OAuth 2 servers come back to."""
    script = page.partition(b"<script>")[2].partition(b"</script>")[0]
    digest = b64encode(hashlib.sha256(script).digest()).decode()
    # NOTE: 'unsafe-hashes' with the hash of `run()` is for the handler in <body onload="run()">.
    handler = b64encode(hashlib.sha256(b"run()").digest()).decode()
    sources = f"'unsafe-hashes' 'sha256-{digest}' 'sha256-{handler}'"
    return {"content-security-policy": f"default-src 'none'; script-src {sources}"}
