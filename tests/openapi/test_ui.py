"""The document and the docs page as they are served."""

from __future__ import annotations

import json
import re
from urllib.parse import urljoin

import pytest
from sanic import Sanic

from msframework.conf.settings import OpenAPISettings, Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.openapi import ui
from msframework.openapi.ui import mount_documents
from msframework.operation import Answer

OAUTH = {
    "type": "oauth2",
    "flows": {
        "authorizationCode": {
            "authorizationUrl": "https://login.example.org/authorize",
            "tokenUrl": "https://login.example.org/token",
            "scopes": {},
        },
        "implicit": {"authorizationUrl": "https://login.example.org/authorize", "scopes": {}},
    },
}


@pytest.fixture
def mounted(operation):
    """Mount the documents on a Sanic app; return its client."""

    def mount(*, title: str = "", **openapi):
        Sanic._app_registry.clear()
        service = Sanic("documents")
        service.config.TOUCHUP = False  # Sanic cannot touch its methods up twice in a process
        service.config.AUTO_EXTEND = False  # sanic-ext has a docs page too, where it is installed
        settings = Settings(
            service_name="things",
            openapi=OpenAPISettings(info={"title": title} if title else {}, **openapi),
        )
        one = operation(answers=(Answer(200),))
        mount_documents(service, [one], settings)
        return service

    yield mount
    Sanic._app_registry.clear()


async def test_the_document_is_served_where_the_origin_had_it(mounted, browse):
    async with browse(mounted()) as get:
        answer = await get("/openapi/spec.json")

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert list(json.loads(answer.body)["paths"]) == ["/things"]


async def test_who_has_the_document_is_not_sent_it_again(mounted, browse):
    async with browse(mounted()) as get:
        first = await get("/openapi/spec.json")
        second = await get("/openapi/spec.json", headers={"If-None-Match": first.headers["etag"]})
        third = await get("/openapi/spec.json", headers={"If-None-Match": '"another"'})

    assert (second.status, second.body) == (304, b"")
    assert second.headers["etag"] == first.headers["etag"]
    assert third.status == 200


async def test_head_answers_without_a_body(mounted, browse):
    async with browse(mounted()) as get:
        for path in ("/openapi/spec.json", "/docs", "/docs/swagger-ui.css"):
            answer = await get(path, method="HEAD")

            assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("path", ["/docs", "/docs/", "/about/docs", "/about/docs/", "/"])
async def test_the_page_finds_all_it_names_even_behind_a_proxy_that_cuts_a_prefix_off(
    mounted, browse, prefix, path
):
    service = mounted(docs_url=path.rstrip("/") or "/")
    async with browse(service) as get:
        page = await get(path)
        named = re.findall(r'(?:href|src|data-document)="([^"]+)"', page.body.decode())
        asked = [urljoin(prefix + path, name) for name in named]
        found = [await get(url.removeprefix(prefix)) for url in asked]

    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert len(named) == 7
    assert all(url.startswith(f"{prefix}/") for url in asked)
    assert [answer.status for answer in found] == [200] * 7
    assert not re.search(r"https?://", page.body.decode())


async def test_scripts_and_styles_are_what_they_say(mounted, browse):
    async with browse(mounted()) as get:
        kinds = {
            name: (await get(f"/docs/{name}")).headers["content-type"]
            for name in ("docs.js", "swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
        }

    assert kinds == {
        "docs.js": "text/javascript; charset=utf-8",
        "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
        "swagger-ui.css": "text/css; charset=utf-8",
        "favicon-32x32.png": "image/png",
    }


async def test_a_static_file_is_cached_and_asked_for_again(mounted, browse):
    async with browse(mounted()) as get:
        first = await get("/docs/swagger-ui.css")
        since = {"If-Modified-Since": first.headers["last-modified"]}
        second = await get("/docs/swagger-ui.css", headers=since)

    assert "max-age=3600" in first.headers["cache-control"]
    assert second.status == 304


@pytest.mark.parametrize(
    "path",
    [
        "/docs/swagger-editor.js",
        "/docs/swagger-ui.js",
        "/docs/LICENSE",
        "/docs/oauth2-redirect.html",
        "/docs/..%2f__init__.py",
        "/docs/%2e%2e/core.py",
        "/docs/../../../../etc/passwd",
    ],
)
async def test_nothing_else_is_served(mounted, browse, path):
    async with browse(mounted()) as get:
        answer = await get(path)

    assert answer.status == 404


async def test_the_page_may_load_and_call_nothing_foreign(mounted, browse):
    async with browse(mounted()) as get:
        headers = (await get("/docs")).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "connect-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"


async def test_oauth_may_fetch_its_tokens_and_come_back(mounted, browse):
    service = mounted(security_schemes={"login": OAUTH})
    async with browse(service) as get:
        page = await get("/docs")
        back = await get("/docs/oauth2-redirect.html")

    policy = page.headers["content-security-policy"]
    assert "connect-src 'self' https://login.example.org;" in policy
    assert back.status == 200
    assert "script-src 'unsafe-hashes' 'sha256-" in back.headers["content-security-policy"]


async def test_the_title_is_written_as_text(mounted, browse):
    async with browse(mounted(title="<script>alert(1)</script>")) as get:
        page = (await get("/docs")).body.decode()

    assert "<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>" in page


async def test_the_page_may_be_left_out(mounted, browse):
    async with browse(mounted(docs_url=None)) as get:
        statuses = [(await get(path)).status for path in ("/openapi/spec.json", "/docs")]

    assert statuses == [200, 404]


def test_documents_may_be_left_out(mounted):
    assert mounted(enabled=False).router.routes_all == {}


def test_documents_are_no_operations(mounted):
    service = mounted()

    names = {route.name for route in service.router.routes}
    assert "documents.openapi_document" in names
    assert len(names) == 7


@pytest.mark.parametrize("place", [None, "empty"])
def test_a_missing_swagger_ui_is_named(mounted, monkeypatch, tmp_path, place):
    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(ui, "find_spec", lambda name: Spec if place else None)

    with pytest.raises(ImproperlyConfigured, match="Install swagger-ui-py, or set DOCS_URL"):
        mounted()
