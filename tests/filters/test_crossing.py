"""Filters across foreign keys give the rows that joins by hand give, within their scopes."""

import random

import aiohttp
import pytest
import pytest_asyncio

from msframework import Blueprint, ModelResource, ModelSchema, doc
from msframework.collection import Expansion
from msframework.conf.settings import DatabaseSettings
from msframework.db import Database
from msframework.models.sql import render
from tests.collection.shop import ByName
from tests.conftest import new_service, serve_service
from tests.filters.posts import (
    BY_HAND,
    TABLES,
    TEXTS,
    Person,
    Post,
    PostFilters,
    ScopedFilters,
    make_condition,
    make_rows,
    make_search,
)
from tests.filters.rows import parameters, write
from tests.processes import fresh_database

pytestmark = pytest.mark.asyncio(loop_scope="module")
CASES = [
    (name, operator) for name, operators in PostFilters.filters.items() for operator in operators
]
FREE, SCOPED = PostFilters.reader().compile(), ScopedFilters.reader().compile()


@pytest.fixture(scope="module")
def url():
    with fresh_database("crossing") as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def db(url):
    db = Database(DatabaseSettings(url=url, max_size=1))
    await db.start()
    async with db.transaction() as cur:
        await cur.execute(TABLES)
        for model, rows in make_rows(3).items():
            await cur.execute(model.insert_many(rows))
    yield db
    await db.stop()


async def load(pairs, team=None):
    """Return the filters of a query, for a caller of a team, or for nobody without scopes."""
    errors = {}
    found = (FREE if team is None else SCOPED)(parameters(write(pairs)), errors)
    assert errors == {}
    return await found.scoped(None, team)


async def run(db, filters):
    """Return the ids of both ways to use the filters, which are the same."""
    async with db.acquire() as cur:
        built = [row["id"] for row in await cur.fetch(filters.apply(Post.select(Post.id)))]
        for alias, first in (("", 1), ("t1", 2)):
            sql, args = filters.where(first, alias=alias)
            named = f"posts AS {alias}, generate_series(1, $1)" if alias else "posts"
            text = f"SELECT posts.id FROM {named} WHERE {sql} ORDER BY 1"
            text = text.replace("posts.id", f"{alias or 'posts'}.id")
            found = await cur.fetch(text, *((1,) if alias else ()), *args)
            assert [row["id"] for row in found] == built
    return built


async def by_hand(db, conditions, team):
    text = BY_HAND.format(
        owner="TRUE" if team is None else f"o.team = {team}",
        city="TRUE" if team is None else "c.name <> 'aa'",
        where=" AND ".join(conditions) or "TRUE",
    )
    async with db.acquire() as cur:
        return [row["id"] for row in await cur.fetch(text)]


@pytest.mark.parametrize("team", [None, 1], ids=["all", "scoped"])
@pytest.mark.parametrize(("name", "operator"), CASES)
async def test_an_operator_gives_the_rows_that_a_join_gives(db, name, operator, team):
    choose = random.Random(f"{name} {operator}")
    key = name if operator == "eq" else f"{name}__{operator}"
    found = 0
    for _ in range(4):
        text, condition = make_condition(choose, name, operator)

        expected = await by_hand(db, [condition], team)
        assert await run(db, await load([(key, text)], team)) == expected, (text, condition)
        found += len(expected)
    assert found


@pytest.mark.parametrize("team", [None, 2], ids=["all", "scoped"])
async def test_several_filters_must_all_hold(db, team):
    choose = random.Random(17)
    found = 0
    for _ in range(25):
        pairs, conditions = [], []
        for name, operator in choose.sample(CASES, choose.randint(2, 4)):
            text, condition = make_condition(choose, name, operator)
            pairs.append((name if operator == "eq" else f"{name}__{operator}", text))
            conditions.append(condition)
        for word in choose.choices(TEXTS, k=choose.choice((0, 0, 1, 2))):
            pairs = [(name, text) for name, text in pairs if name != "q"] + [
                ("q", " ".join([text for name, text in pairs if name == "q"] + [word]))
            ]
            conditions.append(make_search(word))

        expected = await by_hand(db, conditions, team)
        assert await run(db, await load(pairs, team)) == expected, pairs
        found += len(expected)
    assert found


async def test_what_lies_behind_one_key_is_one_subselect():
    pairs = [("owner.full_name", "a"), ("owner.city.name", "b"), ("owner.age__gte", "1")]
    sql, args = (await load(pairs)).where(3, alias="p")

    assert sql == (
        '"p"."owner_id" IN (SELECT "t1"."id" FROM "people" AS "t1" WHERE'
        ' ((("t1"."full_name" = $3) AND ("t1"."age" >= $4)) AND ("t1"."city_id" IN'
        ' (SELECT "t2"."id" FROM "cities" AS "t2" WHERE ("t2"."name" = $5)))))'
    )
    assert args == ("a", 1, "b")


class RolledBack(Exception):
    """Ends a transaction without a trace."""


@pytest.mark.acceptance
async def test_a_selective_filter_uses_the_index_of_the_foreign_key(db):
    filters = await load([("owner.full_name", "person 7"), ("owner.age__gte", "1")])
    with pytest.raises(RolledBack):
        async with db.transaction() as cur:
            await cur.execute(
                "INSERT INTO people (full_name, age, team)"
                " SELECT 'person ' || n, 2, 1 FROM generate_series(1, 5000) AS n;"
                "INSERT INTO posts (title, owner_id)"
                " SELECT 'x', 1 + n % 5000 FROM generate_series(1, 50000) AS n;"
                "CREATE INDEX posts_owner_id ON posts (owner_id);"
                "CREATE INDEX people_full_name ON people (full_name);"
                "ANALYZE posts; ANALYZE people"
            )
            sql, args = filters.where(alias="p")
            by_hand = await cur.fetch(f"EXPLAIN SELECT * FROM posts AS p WHERE {sql}", *args)
            sql, args = render(filters.apply(Post.select().limit(20)))
            built = await cur.fetch(f"EXPLAIN {sql}", *args)
            raise RolledBack
    for rows in (by_hand, built):
        plan = "\n".join(row["QUERY PLAN"] for row in rows)
        assert "posts_owner_id" in plan, plan
        assert "Seq Scan" not in plan, plan


async def test_filters_whose_scope_is_not_known_look_at_nothing():
    unknown = SCOPED(parameters(""), {})

    for use in (unknown.where, unknown.expressions, lambda: unknown.apply(Post.select())):
        with pytest.raises(RuntimeError, match=r"filters.scoped\(request, principal\) first"):
            use()
    assert (await unknown.scoped(None)).where() == ("TRUE", ())


async def test_a_scope_that_is_no_condition_is_refused():
    class Broken(PostFilters):
        filter_scopes = {"owner": lambda: 0}  # noqa: RUF012

    found = Broken.reader().compile()(parameters("owner.full_name=a"), {})

    with pytest.raises(TypeError, match="a scope returned 0"):
        await found.scoped(None)


class PersonSchema(ModelSchema):
    class Meta:
        model = Person
        fields = ("id", "full_name")
        naming = "camel"


class PostSchema(ModelSchema):
    class Meta:
        model = Post
        fields = ("id", "owner_id")
        naming = "camel"


def declare(service):
    posts = Blueprint("posts", url_prefix="/posts")

    @posts.collection("/people", item="/people/<id:int>")
    class People(ModelResource):
        """The people of the caller's team."""

        schema = PersonSchema
        actions = ("list",)

        def scope(self, request, principal):
            return Person.team == (int(principal.id) if principal else 0)

    class Posts(ModelResource):
        """Posts."""

        schema = PostSchema
        actions = ("list",)
        filters = {"owner.full_name": ("eq", "isnull")}  # noqa: RUF012
        search = ("owner.full_name",)
        sort = ("id",)

    class Expanded(Posts):
        expand = {"owner": Expansion(PersonSchema, scope=People)}  # noqa: RUF012

    class Said(Posts):
        filter_scopes = {"owner": People}  # noqa: RUF012

    class Open(Expanded):
        filter_scopes = {"owner": None}  # noqa: RUF012

    for each in (Expanded, Said, Open):
        posts.collection(f"/{each.__name__.lower()}")(each)

    @posts.get("/plain")
    @doc.filter(ScopedFilters)
    async def plain(request, filters, cur, principal):
        found = await filters.scoped(request, int(principal.id))
        return await cur.fetch(found.apply(Post.select(Post.id)))

    service.blueprint(posts)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def get(db, url):
    service = new_service(database={"url": url, "max_size": 1})
    service.authenticate("name", ByName())
    declare(service)
    async with serve_service(service) as (host, port), aiohttp.ClientSession() as session:

        async def get(path, caller="1"):
            headers = {} if caller is None else {"X-Caller": caller}
            address = f"http://{host}:{port}/posts/{path}"
            async with session.get(address, headers=headers) as response:
                answer = await response.json()
                assert response.status == 200, answer
                return [row["id"] for row in answer["data"]]

        yield get


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("owner.fullName=a", "o.full_name = 'a'"),
        ("owner.fullName__isnull=true", "o.full_name IS NULL"),
        ("q=b", "strpos(lower(o.full_name), 'b') > 0"),
    ],
    ids=["eq", "isnull", "search"],
)
async def test_a_collection_tells_nothing_of_rows_outside_of_a_scope(db, get, query, condition):
    every = await by_hand(db, [condition], None)

    assert await get(f"open?per_page=100&{query}") == every
    assert await by_hand(db, [condition], 1) != await by_hand(db, [condition], 2)
    for place in ("expanded", "said"):
        for caller in ("1", "2"):
            expected = await by_hand(db, [condition], int(caller))
            assert await get(f"{place}?per_page=100&{query}", caller) == expected
        unseen = await get(f"{place}?per_page=100&{query}", None)
        assert unseen == (await by_hand(db, [], None) if "isnull" in query else [])


async def test_an_endpoint_says_for_whom_it_filters(db, get):
    for caller in (1, 2):
        expected = await by_hand(db, ["o.full_name = 'a'"], caller)
        assert await get("plain?owner.full_name=a", str(caller)) == expected
