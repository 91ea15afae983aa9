"""Pages of a listing that come from the database: their rows, and what is sent of them."""

import aiohttp
import pytest
from sanic.request import Request

from msframework import Blueprint, PageResult, doc
from msframework.pagination import Page, Pages
from msframework.schemas import Schema, fields
from tests.processes import fresh_database

LAST = "Must be greater than or equal to 1 and less than or equal to 10000."
BOUND = "Must be greater than or equal to 1 and less than or equal to 100."
NUMBERS = (
    "SELECT n AS id, 'n' || n AS name, n > 3 AS big FROM generate_series(1, 5) AS n ORDER BY n"
)


class NumberSchema(Schema):
    id = fields.Integer()
    name = fields.String()


class RenamedSchema(NumberSchema):
    name = fields.String(data_key="Name")


def declare(service):
    pages = Blueprint("pages", url_prefix="/pages")
    seen = service.ctx.seen = []

    def listing(path, schema, total=True):
        def mount(method):
            doc.paginate(per_page=2, total=total)(method)
            if schema is not None:
                doc.produces(schema)(method)
            pages.get(f"/{path}")(method)

        return mount

    async def fetch(request, page, query=NUMBERS, *args, **options):
        async with request.app.db.acquire(request) as cur:
            return await page.fetch(cur, query, *args, **options)

    @listing("plain", NumberSchema(many=True))
    async def plain(request, page):
        return await fetch(request, page)

    @listing("read", NumberSchema(many=True))
    async def read(request, page):
        result = await fetch(request, page)
        seen.append([dict(row) for row in result.rows])
        return result

    @listing("changed", NumberSchema(many=True))
    async def changed(request, page):
        result = await fetch(request, page)
        for row in result.rows:
            row["name"] += "!"
        return result

    @listing("renamed", RenamedSchema(many=True))
    async def renamed(request, page):
        return await fetch(request, page)

    @listing("undeclared", None)
    async def undeclared(request, page):
        return await fetch(request, page)

    @listing("counted", NumberSchema(many=True))
    async def counted(request, page):
        return await fetch(request, page, total=50)

    @listing("uncounted", NumberSchema(many=True), total=False)
    async def uncounted(request, page):
        return await fetch(request, page)

    @listing("none", NumberSchema(many=True))
    async def none(request, page):
        return await fetch(request, page, f"SELECT * FROM ({NUMBERS}) AS x WHERE id > $1", 5)

    service.blueprint(pages)


@pytest.fixture(scope="module")
def url():
    with fresh_database("pages") as url:
        yield url


@pytest.fixture
async def service(make_service, url):
    service = make_service(database={"url": url})
    declare(service)
    return service


@pytest.fixture
async def get(service, serve):
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:

        async def get(path):
            async with session.get(f"http://{host}:{port}/pages/{path}") as response:
                return await response.json()

        yield get


TWO = [{"id": 1, "name": "n1"}, {"id": 2, "name": "n2"}]
NAMED = [{"id": 1, "Name": "n1"}, {"id": 2, "Name": "n2"}]
WHOLE = [{**row, "big": False} for row in TWO]
FIVE = {"page": 1, "per_page": 2, "total": 5, "pages": 3}


@pytest.mark.parametrize(
    ("path", "data", "pagination"),
    [
        ("plain", TWO, FIVE),
        ("plain?page=3", [{"id": 5, "name": "n5"}], FIVE | {"page": 3}),
        ("plain?page=4", [], FIVE | {"page": 4}),
        ("read", TWO, FIVE),
        ("changed", [{"id": 1, "name": "n1!"}, {"id": 2, "name": "n2!"}], FIVE),
        ("renamed", NAMED, FIVE),
        ("undeclared", WHOLE, FIVE),
        ("counted", TWO, FIVE | {"total": 50, "pages": 25}),
        ("uncounted", TWO, {"page": 1, "per_page": 2}),
        ("none", [], FIVE | {"total": 0, "pages": 0}),
    ],
)
async def test_a_page_of_the_database_is_sent(get, path, data, pagination):
    assert await get(path) == {"code": 0, "data": data, "pagination": pagination}


async def test_rows_are_plain_dicts_for_whoever_reads_them(get, service):
    await get("read")

    assert service.ctx.seen == [WHOLE]


async def test_no_row_becomes_a_dict_when_nobody_reads_it(service, serve):
    async with serve(service), service.db.acquire() as cur:
        result = await Page(1, 2).fetch(cur, NUMBERS)

        assert len(result.table.records) == 2
        rows = result.rows
        assert rows == WHOLE
        assert all(type(row) is dict for row in rows)
        assert result.rows is rows
        assert result.table is None


PARAMETERS = [
    ("", (1, 20)),
    ("page=2", (2, 20)),
    ("page=02&per_page=5", (2, 5)),
    ("per_page=5", (1, 5)),
    ("per_page=5&page=2", (2, 5)),
    ("page=2&per_page=5&page=3", {"page": ["Given 2 times, but takes one value."]}),
    ("page=2&per_page=100&q=x", (2, 100)),
    ("page=%32&per_page=5", (2, 5)),
    ("page=&per_page=5", {"page": ["Not a valid integer."]}),
    ("page=-1", {"page": [LAST]}),
    ("page=0", {"page": [LAST]}),
    ("page=10000&per_page=100", (10000, 100)),
    ("page=10001", {"page": [LAST]}),
    ("page=10001&q=x", {"page": [LAST]}),
    ("page=10001&per_page=101", {"page": [LAST], "per_page": [BOUND]}),
    ("page=999999999999999999", {"page": [LAST]}),
    ("page=1_0", {"page": ["Not a valid integer."]}),
    ("page=%D9%A3", {"page": ["Not a valid integer."]}),
    ("page=x&per_page=0", {"page": ["Not a valid integer."], "per_page": [BOUND]}),
    ("page=1&per_page=101", {"per_page": [BOUND]}),
    ("page=1&per_page=1000000000000000000000", {"per_page": ["Not a valid integer."]}),
]


@pytest.mark.parametrize(("query", "expected"), PARAMETERS)
def test_a_page_is_read_from_the_query_string(make_service, query, expected):
    load = Pages(per_page=20, max_per_page=100).compile()
    request = Request(f"/?{query}".encode(), {}, "1.1", "GET", None, make_service())
    errors = {}

    page = load(request, errors)

    if isinstance(expected, dict):
        assert page is None
        assert errors == {"query": expected}
    else:
        assert (page.page, page.per_page) == expected
        assert errors == {}


def test_results_are_equal_when_rows_and_numbers_are():
    result = PageResult([{"a": 1}], {"page": 1})

    assert result == PageResult([{"a": 1}], {"page": 1})
    assert result != PageResult([{"a": 2}], {"page": 1})
    assert result != PageResult([{"a": 1}], {"page": 2})
    assert result != [{"a": 1}]
    assert repr(result) == "PageResult(rows=[{'a': 1}], pagination={'page': 1})"
