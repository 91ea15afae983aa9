"""What docs/concepts/paging.md says, over a socket: its own code, and requests that go wrong."""

import re
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from msframework import Blueprint, Offsets, Pages, Reply, Resource, doc
from msframework.pagination.links import LONGEST_LINKS
from tests.conftest import new_service, serve_service
from tests.processes import fresh_database

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "paging.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
WRONG = {"query": {"cursor": ["Not a cursor of this listing."]}}


def declare(service):
    namespace = {}
    for block in BLOCKS:
        exec(block, namespace)
    service.blueprint(namespace["entries"])
    more = Blueprint("more", url_prefix="/more")
    text = "SELECT id FROM entries ORDER BY id"

    @more.resource("/counted")
    class Counting(Resource):
        envelope = namespace["Counted"]

        @doc.paginate(Offsets(limit=2, max_offset=3, names=("take", "skip")))
        async def get(self, request, page, cur):
            return await page.fetch(cur, text + " -- a comment")

    @more.get("/linked")
    @doc.paginate(Pages(per_page=2, max_page=2))
    async def linked(request, page, cur):
        result = await page.fetch(cur, text)
        return Reply(result, headers={"Link": '</terms>; rel="license"', "X-Own": "1"})

    @more.get("/made")
    @doc.paginate(Offsets(limit=2))
    async def made(request, page):
        return page.result([{"id": page.offset}], total=9)

    service.blueprint(more)


class Site:
    """A served service, and a session to it."""

    def __init__(self, session, base):
        self.session, self.base = session, base

    async def get(self, path):
        async with self.session.get(self.base + path) as response:
            return response.status, await response.json(), response.headers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site():
    with fresh_database("paging") as url:
        service = new_service(database={"url": url})
        declare(service)
        async with serve_service(service) as (host, port), aiohttp.ClientSession() as session:
            async with service.db.transaction() as cur:
                await cur.execute(
                    "CREATE TABLE entries (id serial PRIMARY KEY, title text NOT NULL, "
                    "create_time timestamptz NOT NULL DEFAULT now()); INSERT INTO entries (title) "
                    "SELECT 't' || n FROM generate_series(1, 5) n"
                )
            yield Site(session, f"http://{host}:{port}")


def ids(body):
    return [row["id"] for row in body["data"]]


async def test_cursors_lead_forwards_and_back(site):
    first = (await site.get("/entries/newest"))[1]
    second = (await site.get(f"/entries/newest?cursor={first['pagination']['next']}"))[1]
    third = (await site.get(f"/entries/newest?cursor={second['pagination']['next']}"))[1]
    back = (await site.get(f"/entries/newest?cursor={third['pagination']['prev']}"))[1]

    assert [ids(page) for page in (first, second, third)] == [[5, 4], [3, 2], [1]]
    assert back["data"] == second["data"]
    assert first["data"][0] == {"id": 5, "title": "t5"}
    assert (first["pagination"]["prev"], third["pagination"]["next"]) == (None, None)
    assert first["pagination"]["per_page"] == 2


async def test_links_lead_through_a_listing(site):
    path, seen = "/entries/newest?per_page=2&q=a%20b", []
    while path:
        async with site.session.get(site.base + path) as response:
            seen += ids(await response.json())
            following = response.links.get("next")
            path = following and following["url"].path_qs
            assert "q=a" in response.headers["Link"]

    assert seen == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("cursor=", WRONG),
        ("cursor=x", WRONG),
        ("cursor=%00", WRONG),
        ("cursor=AWJfvSRZF0pDR1siYWZ0ZXIiLFsibjQiLDE4XV0", WRONG),
        ("cursor=a&cursor=b", {"query": {"cursor": ["Given 2 times, but takes one value."]}}),
        (
            "per_page=0&cursor=x",
            {
                "query": WRONG["query"]
                | {
                    "per_page": [
                        "Must be greater than or equal to 1 and less than or equal to 100."
                    ]
                }
            },
        ),
    ],
)
async def test_a_cursor_that_is_not_ours_is_a_422(site, query, error):
    status, body, _ = await site.get(f"/entries/newest?{query}")

    assert (status, body["error"]) == (422, error)


LINKS = {
    "/entries/": '<?page=1>; rel="first", <?page=1>; rel="last"',
    "/entries/?per_page=2": '<?page=2&per_page=2>; rel="next", <?page=1&per_page=2>; rel="first", '
    '<?page=3&per_page=2>; rel="last"',
    "/entries/?page=2&per_page=2&x=<>": (
        '<?page=3&per_page=2&x=%3C%3E>; rel="next", <?page=1&per_page=2&x=%3C%3E>; rel="prev", '
        '<?page=1&per_page=2&x=%3C%3E>; rel="first", <?page=3&per_page=2&x=%3C%3E>; rel="last"'
    ),
    "/entries/?p%61ge=9&&per_page=2": '<?page=3&per_page=2>; rel="prev", '
    '<?page=1&per_page=2>; rel="first", <?page=3&per_page=2>; rel="last"',
    "/entries/window?offset=1": '<?offset=3>; rel="next", <?offset=0>; rel="prev", '
    '<?offset=0>; rel="first"',
    "/entries/window?offset=4": '<?offset=2>; rel="prev", <?offset=0>; rel="first"',
    "/more/counted?skip=2": '<?skip=0>; rel="prev", <?skip=0>; rel="first"',
    "/more/made?offset=4": '<?offset=6>; rel="next", <?offset=2>; rel="prev", <?offset=0>; '
    'rel="first", <?offset=8>; rel="last"',
}


@pytest.mark.parametrize("path", LINKS)
async def test_links_name_the_pages_that_there_are(site, path):
    status, _, headers = await site.get(path)

    assert status == 200
    assert headers["Link"] == LINKS[path]


async def test_links_that_would_be_too_long_are_left_out(site):
    one = (await site.get(f"/entries/?page=2&per_page=2&x={'a' * 1500}"))[2]
    none = (await site.get(f"/entries/?page=2&per_page=2&x={'a' * LONGEST_LINKS}"))[2]

    assert one["Link"].endswith('rel="next"')
    assert "Link" not in none


async def test_links_stand_beside_those_of_the_method(site):
    _, body, headers = await site.get("/more/linked")

    assert headers.getall("Link") == [
        '</terms>; rel="license"',
        '<?page=2>; rel="next", <?page=1>; rel="first"',
    ]
    assert headers["X-Own"] == "1"
    assert body["pagination"]["total"] == 5


async def test_an_envelope_says_what_is_written_of_the_numbers(site):
    status, body, _ = await site.get("/more/counted?take=1&skip=1")

    assert (status, body) == (200, {"entries": [{"id": 2}], "entriesCount": 5})
    assert (await site.get("/more/counted?take=101&skip=-1"))[1]["error"] == {
        "query": {
            "take": ["Must be greater than or equal to 1 and less than or equal to 100."],
            "skip": ["Must be greater than or equal to 0 and less than or equal to 3."],
        }
    }
