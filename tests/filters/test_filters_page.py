"""The page docs/concepts/filters.md says what is so."""

import re
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from msframework.filters.operators import OPERATORS
from tests.conftest import new_service, serve_service
from tests.processes import fresh_database

PAGE = (Path(__file__).parents[2] / "docs" / "concepts" / "filters.md").read_text("utf-8")
ROWS = (
    "CREATE TABLE notes (id serial PRIMARY KEY, title varchar(100) NOT NULL, text text,"
    " done boolean NOT NULL, create_time timestamptz NOT NULL);"
    "INSERT INTO notes (title, text, done, create_time) VALUES"
    " ('Tea', 'green', false, '2024-01-01Z'), ('Team', NULL, true, '2024-02-01Z'),"
    " ('Coffee', 'no green tea', false, '2023-01-01Z'), ('a,b', '', false, '2022-01-01Z'),"
    " ('Tea', NULL, true, '2023-06-01Z');"
    "CREATE TABLE authors (id serial PRIMARY KEY, name text, email text, team text);"
    "CREATE TABLE essays (id serial PRIMARY KEY, title text, author_id int REFERENCES authors);"
    "INSERT INTO authors (name, email, team) VALUES"
    " ('Ada', NULL, 'a'), ('Ann', 'ann@b.cc', 'a'), ('Ada', 'ada@b.cc', 'b');"
    "INSERT INTO essays (title, author_id) VALUES"
    " ('One', 1), ('On Ada', 2), ('Three', 3), ('Four', NULL)"
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def get():
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    with fresh_database("filters_page") as url:
        service = new_service(database={"url": url})
        service.blueprint(names["notes"])
        async with serve_service(service) as (host, port), aiohttp.ClientSession() as session:
            async with service.db.transaction() as cur:
                await cur.execute(ROWS)

            async def get(path, **headers):
                address = f"http://{host}:{port}/notes/{path}"
                async with session.get(address, headers=headers) as answer:
                    return await answer.json()

            yield get


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [2, 1, 5, 3, 4]),
        ("?title=Tea", [1, 5]),
        ("?title__icontains=te&done=false", [1]),
        ("?create_time__gte=2024-01-01T00:00:00Z", [2, 1]),
        ("?id__in=3,4,5", [5, 3, 4]),
        ("?id__in=3&id__in=4&id__in=5", [5, 3, 4]),
        ("?q=green+tea", [1, 3]),
        ("?sort=title,-create_time", [3, 1, 5, 2, 4]),
        ("?sort=title,-create_time&per_page=2&page=2", [5, 2]),
    ],
)
async def test_the_examples_give_what_the_page_says(get, query, ids):
    assert [row["id"] for row in (await get(query))["data"]] == ids


async def test_a_mistake_is_told_as_the_page_says(get):
    answer = await get("?title__like=x")

    told = answer["error"]["query"]["title__like"][0]
    assert told.startswith("Unknown filter; there are title, title__icontains.")


async def test_sql_by_hand(get):
    answer = await get("by-hand?title__icontains=t")

    assert answer["data"] == [{"id": 1, "title": "Tea"}]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [1, 2, 3, 4]),
        ("?author.name=Ada", [1]),
        ("?author.name__icontains=a&author.email__isnull=false", [2]),
        ("?author.email__isnull=true", [1, 3, 4]),
        ("?author.email__isnull=false", [2]),
        ("?author.email__ne=x", [1, 2]),
        ("?q=ada", [1, 2]),
    ],
)
async def test_rows_behind_foreign_keys(get, query, ids):
    answer = await get(f"essays{query}", **{"X-Team": "a"})

    assert [row["id"] for row in answer["data"]] == ids


async def test_pages_of_sql_by_hand(get):
    found, cursor = [], None
    while cursor != "":
        page = await get(f"by-cursor?id__in=2,1,5,3&{f'cursor={cursor}' if cursor else ''}")
        found += [row["id"] for row in page["data"]]
        cursor = page["pagination"]["next"] or ""
    assert found == [2, 1, 5, 3]  # the usual order, the newest first
    sorted_by = await get("by-cursor?sort=title")
    assert [row["id"] for row in sorted_by["data"]] == [3, 1]


async def test_a_schema_of_ones_own(get):
    answer = await get('places?ids=1,2&area[north]=2&area[south]=1&options={"a":1}')

    assert answer["data"] == {
        "ids": [1, 2],
        "area": {"north": 2.0, "south": 1.0},
        "options": {"a": 1},
    }


async def test_the_page_names_every_operator():
    assert set(re.findall(r"`(\w+)`", PAGE)) >= OPERATORS.keys()
