"""The docs page in a real browser: it shows every operation, authorizes and calls
some, and loads nothing foreign.

Needs Debian's `chromium` and `chromium-driver`. Screenshots go to `reports/docs-*.png`.
"""

import asyncio
import base64
import re
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from marshmallow import Schema, fields

from msframework import Blueprint, Conflict, Principal, Resource, doc
from msframework.access import (
    APIKey,
    AuthenticatedBy,
    HTTPBasic,
    JWTBearer,
    JWTIssuer,
    hash_key,
)
from tests.acceptance.chromium import CHROMIUM, FLAGS

DRIVER = shutil.which("chromedriver") or ""
REPORTS = Path(__file__).resolve().parents[2] / "reports"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="no browser here: apt-get install chromium chromium-driver",
    ),
]


class CitySchema(Schema):
    id = fields.Integer(dump_only=True)
    name = fields.String(required=True, metadata={"description": "The city's name."})
    height = fields.Decimal(as_string=True, allow_none=True)


class CityTaken(Conflict):
    code = 12003
    message = "There is such a city"


def build_blueprint() -> Blueprint:
    """Make the endpoints anew: a blueprint belongs to one service."""
    cities = Blueprint("cities", url_prefix="/cities")

    @cities.resource("/")
    class CityList(Resource):
        """The cities of this site."""

        @doc.summary("List cities")
        @doc.paginate(max_per_page=50)
        @doc.produces(CitySchema(many=True))
        async def get(self, request, page):
            return page.result([{"id": 1, "name": "Delft", "height": "0.00"}], 1)

        @doc.summary("Create a city")
        @doc.consumes(CitySchema)
        @doc.produces({"id": int}, status=201)
        @doc.raises(CityTaken)
        @doc.security("token")
        async def post(self, request, body):
            return {"id": 2}

    @cities.resource("/<id:int>")
    class City(Resource):
        @doc.summary("Change a city")
        @doc.consumes(CitySchema)
        @doc.produces(CitySchema)
        async def patch(self, request, id, body):
            return {"id": id, "name": "Delft", **body}

        @doc.summary("Remove a city")
        @doc.produces(status=204)
        async def delete(self, request, id):
            return None

    return cities


class Browser:
    """A page in headless Chromium, driven through W3C WebDriver."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session, self._base = session, base

    async def call(self, method: str, path: str, **body):
        sent = body if method == "POST" else None
        async with self._session.request(method, self._base + path, json=sent) as answer:
            value = (await answer.json())["value"]
            assert answer.status == 200, value
            return value

    async def find(self, css: str) -> str:
        """Return the first element of *css*, as soon as there is one (the driver waits for it)."""
        found = await self.call("POST", "/element", using="css selector", value=css)
        return f"/element/{found[ELEMENT]}"

    async def click(self, css: str) -> None:
        await self.call("POST", f"{await self.find(css)}/click")

    async def write(self, css: str, text: str) -> None:
        await self.call("POST", f"{await self.find(css)}/value", text=text)

    async def texts(self, css: str) -> list[str]:
        await self.find(css)
        found = await self.call("POST", "/elements", using="css selector", value=css)
        return [await self.call("GET", f"/element/{item[ELEMENT]}/text") for item in found]

    async def run(self, script: str):
        return await self.call("POST", "/execute/sync", script=script, args=[])

    async def complaints(self) -> list[str]:
        """Return what the console complained of: refused by a policy, not found, thrown."""
        lines = await self.call("POST", "/se/log", type="browser")
        return [line["message"] for line in lines if line["level"] == "SEVERE"]

    async def save_screenshot(self, name: str) -> None:
        REPORTS.mkdir(exist_ok=True)
        image = base64.b64decode(await self.call("GET", "/screenshot"))
        (REPORTS / f"docs-{name}.png").write_bytes(image)


@asynccontextmanager
async def open_browser(profile: Path):
    """Start chromedriver on a port of its own choice, and one browser with an empty *profile*."""
    driver = await asyncio.create_subprocess_exec(
        DRIVER, "--port=0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert driver.stdout is not None
    try:
        port = None
        while port is None:
            line = (await driver.stdout.readline()).decode()
            assert line, "chromedriver ended before it said its port"
            said = re.search(r"started successfully on port (\d+)", line)
            port = said and said[1]
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": {
                "binary": CHROMIUM,
                "args": [*FLAGS, "--window-size=1280,1600", f"--user-data-dir={profile}"],
            },
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"implicit": 15_000},
        }
        async with aiohttp.ClientSession() as session:
            base = f"http://127.0.0.1:{port}/session"
            started = await Browser(session, base).call(
                "POST", "", capabilities={"alwaysMatch": wanted}
            )
            browser = Browser(session, f"{base}/{started['sessionId']}")
            try:
                yield browser
            finally:
                await browser.call("DELETE", "")
    finally:
        driver.terminate()
        await driver.wait()


@pytest.fixture
def documented(make_service, serve):
    """Serve a service with documents of one version, below a prefix or not; gives its address."""

    @asynccontextmanager
    async def serving(version: str, prefix: str = ""):
        service = make_service(
            server={"url_prefix": prefix},
            openapi={
                "version": version,
                "info": {"title": "Cities", "description": "All *cities*."},
                "security_schemes": {
                    "token": {"type": "http", "scheme": "bearer", "x-enforced-by": "gateway"}
                },
            },
        )
        service.blueprint(build_blueprint())
        async with serve(service) as (host, port):
            yield f"http://{host}:{port}{prefix}"

    return serving


@pytest.mark.parametrize(
    ("version", "prefix"), [("3.1", ""), ("3.0", "/api"), ("2.0", "/api")], ids=str
)
async def test_the_docs_page_shows_and_calls_the_service(documented, tmp_path, version, prefix):
    name = version.replace(".", "")
    async with documented(version, prefix) as url, open_browser(tmp_path) as browser:
        await browser.call("POST", "/url", url=f"{url}/docs")
        shown = await browser.texts(".opblock-summary-description")
        title = (await browser.texts("h1.title, h2.title"))[0]
        await browser.save_screenshot(f"{name}-list")

        await browser.click("#operations-cities-cities_list .opblock-summary-control")
        await browser.click("#operations-cities-cities_list .try-out__btn")
        await browser.click("#operations-cities-cities_list .execute")
        status = (await browser.texts(".live-responses-table .response-col_status"))[-1]
        body = (await browser.texts(".live-responses-table .highlight-code"))[0]
        await browser.save_screenshot(f"{name}-called")
        asked = await browser.run(
            "return performance.getEntriesByType('resource').map(entry => entry.name)"
        )
        complaints = await browser.complaints()

    assert title.startswith("Cities")
    assert shown == ["List cities", "Create a city", "Change a city", "Remove a city"]
    assert status.startswith("200")
    assert '"name": "Delft"' in body
    assert complaints == []
    assert [name for name in asked if not name.startswith((url, "data:"))] == []


async def test_a_model_is_shown_with_its_fields(documented, tmp_path):
    async with documented("3.1") as url, open_browser(tmp_path) as browser:
        await browser.call("POST", "/url", url=f"{url}/docs/#/cities/cities_create")
        await browser.texts("#operations-cities-cities_create .opblock-body")
        statuses = await browser.texts("#operations-cities-cities_create .response-col_status")
        text = await browser.run("return document.body.innerText")
        await browser.save_screenshot("operation")
        complaints = await browser.complaints()

    assert {"201", "401", "409", "422", "500", "503"} <= {each.split()[0] for each in statuses}
    assert "There is such a city" in text
    assert complaints == []


SECRET = "a secret of the tests that is long enough for HS256"
KEY = "k" * 32
# The fields of the dialog by the name of the scheme, and what is written into them.
FIELDS = {
    "token": {
        "#auth-bearer-value": JWTIssuer(
            SECRET, "HS256", issuer="tests", audience="tests", lifetime=3600
        ).issue("ada"),
    },
    "key": {"#api_key_value": KEY},
    "login": {"#auth-basic-username": "ada", "#auth-basic-password": "pa55"},
}


async def find_user(username: str, password: str) -> Principal | None:
    return Principal(username) if password == "pa55" else None


def build_guarded(make_service, **openapi):
    """Make a service of which each operation is for callers with other credentials."""
    service = make_service(openapi=openapi)
    told = {
        "token": JWTBearer(SECRET, "HS256", issuer="tests", audience="tests"),
        "key": APIKey({"ada": hash_key(KEY)}),
        "login": HTTPBasic(find_user),
    }
    callers = Blueprint("callers", url_prefix="/callers")
    for name, authenticator in told.items():
        service.authenticate(name, authenticator)

        @callers.get(f"/{name}", name=name)
        @doc.operation_id(f"read_{name}")
        @doc.guards(AuthenticatedBy(name))
        @doc.produces({"id": str, "by": str})
        async def read_caller(request, principal):
            return {"id": principal.id, "by": principal.authenticator}

    service.blueprint(callers)
    return service


async def authorize(browser: Browser, fields: dict[str, str]) -> None:
    """Fill in the form of one scheme in the dialog behind *Authorize*."""
    await browser.click(".scheme-container button.authorize")
    for css, text in fields.items():
        await browser.write(css, text)
    await browser.click(f".auth-container:has({next(iter(fields))}) button.authorize")
    await browser.click(".auth-container .btn-done")


async def execute(browser: Browser, place: str) -> str:
    """Call the operation that is open at *place*; return the status and body that it shows."""
    await browser.click(f"{place} .execute")
    status = (await browser.texts(f"{place} .live-responses-table .response-col_status"))[-1]
    body = (await browser.texts(f"{place} .live-responses-table .highlight-code"))[0]
    await browser.click(f"{place} .btn-clear")
    return f"{status.split()[0]} {body}"


async def test_the_docs_page_authorizes_and_calls(make_service, serve, tmp_path):
    found = {}
    async with (
        serve(build_guarded(make_service)) as (host, port),
        open_browser(tmp_path) as browser,
    ):
        await browser.call("POST", "/url", url=f"http://{host}:{port}/docs")
        for name, fields in FIELDS.items():
            place = f"#operations-callers-read_{name}"
            await browser.click(f"{place} .opblock-summary-control")
            await browser.click(f"{place} .try-out__btn")
            # Where a challenge says Basic, the browser asks its user before the page hears of it.
            refused = "" if name == "login" else await execute(browser, place)
            await authorize(browser, fields)
            found[name] = refused, await execute(browser, place)
        await browser.save_screenshot("authorized")

    for name, (refused, answered) in found.items():
        assert refused[:4] == ("" if name == "login" else "401 ")
        assert answered.startswith("200 ")
        assert f'"by": "{name}"' in answered


async def test_a_guarded_page_is_for_whom_the_browser_knows(make_service, serve, tmp_path):
    service = build_guarded(make_service, guards=(AuthenticatedBy("login"),))
    async with serve(service) as (host, port), open_browser(tmp_path) as browser:
        await browser.call("POST", "/url", url=f"http://{host}:{port}/docs")
        refused = await browser.run("return document.body.innerText")
        # The browser keeps them, as those that it asks a user for; no script may fetch such a URL.
        await browser.call("POST", "/url", url=f"http://ada:pa55@{host}:{port}/docs/docs.js")
        await browser.call("POST", "/url", url=f"http://{host}:{port}/docs")
        shown = await browser.texts(".opblock-summary-path")
        complaints = await browser.complaints()

    assert "Swagger" not in refused
    assert sorted(shown) == ["/callers/key", "/callers/login", "/callers/token"]
    assert [line for line in complaints if "401" not in line and "/favicon.ico" not in line] == []
