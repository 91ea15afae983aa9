"""Served listings with filters, an order and a search are walked by cursors, there and back."""

from itertools import permutations
from urllib.parse import quote

import aiohttp
import asyncpg
import pytest
import pytest_asyncio

from msframework import Blueprint, FilterSet, ModelResource, doc
from msframework.conf.settings import DatabaseSettings
from msframework.models import CharField, DecimalField, IntegerField, Model
from msframework.pagination import Cursors
from msframework.schemas import ModelSchema
from tests.conftest import new_service, serve_service
from tests.processes import fresh_database

pytestmark = pytest.mark.asyncio(loop_scope="module")
TABLE = """
CREATE TABLE walked (
    id serial PRIMARY KEY, name text COLLATE "C", rank int NOT NULL, price numeric(8, 2),
    note text NOT NULL
);
INSERT INTO walked (name, rank, price, note)
SELECT CASE WHEN n % 5 > 0 THEN chr(97 + n % 4) || n % 3 END, n % 3,
       CASE WHEN n % 7 > 1 THEN n % 4 * 1.25 END, 'note ' || n % 3
FROM generate_series(1, 60) n
"""
PER_PAGE = 10
COLUMNS = ("name", "rank", "price")


class Walked(Model):
    name = CharField(null=True)
    rank = IntegerField()
    price = DecimalField(max_digits=8, decimal_places=2, null=True)
    note = CharField()

    class Meta:
        table_name = "walked"


class WalkedSchema(ModelSchema):
    class Meta:
        model = Walked
        fields = ("id", "name", "rank", "price")


class NamedSchema(ModelSchema):
    """A part of a row, which has not all that it is sorted by."""

    class Meta:
        model = Walked
        fields = ("id", "name")


class WalkedFilters(FilterSet):
    model = Walked
    filters = {"rank": ("eq", "gte"), "name": ("startswith", "isnull"), "price": ("lt",)}  # noqa: RUF012
    sort = COLUMNS
    default_sort = ("-price", "name")
    search = ("note",)


def declare(service):
    walks = Blueprint("walks")

    @walks.get("/by-hand")
    @doc.filter(WalkedFilters)
    @doc.paginate(Cursors(per_page=PER_PAGE))
    @doc.produces(NamedSchema(many=True))
    async def by_hand(request, filters, page, cur):
        return await page.fetch(cur, filters.apply(Walked.select(Walked.id, Walked.name)))

    @walks.collection("/generated")
    class Generated(ModelResource):
        schema = WalkedSchema
        actions = ("list",)
        filters = WalkedFilters.filters
        sort = WalkedFilters.sort
        default_sort = WalkedFilters.default_sort
        search = WalkedFilters.search
        paging = Cursors(per_page=PER_PAGE)

    service.blueprint(walks)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def url():
    with fresh_database("walks") as url:
        conn = await asyncpg.connect(url)
        await conn.execute(TABLE)
        await conn.close()
        yield url


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def get(url):
    service = new_service(database=DatabaseSettings(url=url, max_size=1))
    declare(service)
    async with serve_service(service) as (host, port), aiohttp.ClientSession() as session:

        async def get(path):
            async with session.get(f"http://{host}:{port}{path}") as response:
                answer = await response.json()
                assert response.status == 200, answer
                return [row["id"] for row in answer["data"]], answer["pagination"]

        yield get


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def conn(url):
    conn = await asyncpg.connect(url)
    yield conn
    await conn.close()


async def walk(get, path, way, cursor=None):
    """Return the rows of the pages from *cursor* on, and the numbers of the last of them."""
    found = []
    while True:
        rows, said = await get(path if cursor is None else f"{path}&cursor={cursor}")
        assert rows
        found = rows + found if way == "prev" else found + rows
        cursor = said[way]
        if cursor is None:
            return found, said


async def check(get, conn, path, names, where="TRUE"):
    """Walk a listing in the order *names* there and back, and compare both with one select."""
    last = names[-1].startswith("-")
    keys = [f"{name.strip('-')} {'DESC' if name[0] == '-' else 'ASC'}" for name in names]
    order = ", ".join([*keys, f"id {'DESC' if last else 'ASC'}"])
    text = f"SELECT id FROM walked WHERE {where} ORDER BY {order}"
    whole = [row["id"] for row in await conn.fetch(text)]
    there, said = await walk(get, path, "next")
    assert there == whole, path
    assert len(whole) > PER_PAGE
    back, said = await walk(get, path, "prev", said["prev"])
    assert back == whole[: len(back)], path
    assert len(back) >= len(whole) - PER_PAGE
    assert said["prev"] is None


SIGNS = {"rising": ("", "", ""), "falling": ("-", "-", "-"), "mixed": ("", "-", "")}


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("listing", ["by-hand", "generated"])
async def test_every_order_is_walked_there_and_back(get, conn, listing, signs):
    orders = [*permutations(COLUMNS, 1), *permutations(COLUMNS, 2), COLUMNS]
    for order in orders:
        names = [f"{sign}{name}" for sign, name in zip(SIGNS[signs], order, strict=False)]
        await check(get, conn, f"/{listing}?sort={','.join(names)}", names)


FILTERED = {
    "two filters": ("rank__gte=1&price__lt=4", "rank >= 1 AND price < 4"),
    "NULLs": ("name__isnull=true&rank__gte=0", "name IS NULL AND rank >= 0"),
    "search": (f"q={quote('note 1')}&rank__gte=0", "note LIKE '%note%' AND note LIKE '%1%'"),
    "a filter and a search": ("name__startswith=a&q=note", "name LIKE 'a%'"),
}


@pytest.mark.parametrize("listing", ["by-hand", "generated"])
async def test_filtered_rows_are_walked_there_and_back(get, conn, listing):
    for query, where in FILTERED.values():
        # In the usual order, and in one that was asked for.
        await check(get, conn, f"/{listing}?{query}", ["-price", "name"], where)
        await check(get, conn, f"/{listing}?{query}&sort=name,-price", ["name", "-price"], where)


async def test_a_cursor_of_another_order_is_none(get):
    _, said = await get("/by-hand?sort=name")
    for path in ("/by-hand?sort=-name", "/by-hand?sort=name,rank", "/generated?sort=rank"):
        with pytest.raises(AssertionError, match="Not a cursor of this listing"):
            await get(f"{path}&cursor={said['next']}")
    rows, _ = await get(f"/generated?sort=name&cursor={said['next']}")
    assert len(rows) == PER_PAGE
