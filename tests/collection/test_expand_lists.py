"""`?expand=` of backrefs and many-to-many fields: one statement fetches the lists of all rows."""

import re

import pytest

from msframework.collection import Expansion
from msframework.models import (
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    ManyToManyField,
    Model,
    TextField,
)
from msframework.openapi.spec import build_document
from msframework.testing import assert_steady, budget
from tests.collection.archive import (
    CommentSchema,
    Post,
    Posts,
    PostSchema,
    TagSchema,
    WriterSchema,
    schema_of,
)
from tests.collection.test_expand import get, mistakes_of

MONSTER, TRAVELS = {"title": "Monster"}, {"title": "Travels"}
PROSE, VERSE, SONNET = {"name": "prose"}, {"name": "verse"}, {"name": "sonnet"}


@pytest.fixture
def ada(books):
    return books.as_principal({"sub": "1"})


async def test_a_backref_comes_to_a_list_in_one_statement_more(ada):
    rows = await get(ada, "/archive/writers?expand=posts", 3)

    assert rows == [
        {"name": "Mary", "posts": [MONSTER, TRAVELS]},
        {"name": "Percy", "posts": [{"title": "Ozymandias"}]},
        {"name": "Nobody", "posts": []},
    ]


async def test_a_backref_comes_to_one_row(ada):
    row = await get(ada, "/archive/writers/1?expand=posts", 2)

    assert row == {"name": "Mary", "posts": [MONSTER, TRAVELS]}


async def test_many_to_many_fields_work_from_both_sides(ada):
    rows = await get(ada, "/archive/posts", 2)

    assert rows == [
        {"title": "Monster", "tags": [PROSE]},
        {"title": "Diary", "tags": []},
        {"title": "Travels", "tags": []},
    ]
    rows = await get(ada, "/archive/tags?expand=posts", 3)
    assert [(row["name"], row["posts"]) for row in rows] == [
        ("prose", [MONSTER]),
        ("verse", [{"title": "Ozymandias"}]),
        ("sonnet", [{"title": "Ozymandias"}]),
    ]


async def test_lists_may_have_lists_and_objects(ada):
    rows = await get(ada, "/archive/writers?expand=posts.comments.writer,posts.tags,letters", 6)

    nice, percy = {"text": "Nice", "writer": None}, {"name": "Percy"}
    assert rows[0]["posts"] == [
        MONSTER | {"tags": [PROSE], "comments": [{"text": "Alive!", "writer": percy}, nice]},
        TRAVELS | {"tags": [], "comments": []},
    ]
    (post,) = rows[1]["posts"]
    assert post["tags"] == [VERSE, SONNET]  # falls by name
    assert post["comments"] == [{"text": "King", "writer": {"name": "Mary"}}]
    assert rows[2] == {"name": "Nobody", "posts": [], "letters": []}


async def test_lists_belong_to_joined_objects(ada):
    rows = await get(ada, "/archive/posts?expand=writer.posts,tags.parent&per_page=9", 3)

    assert [(row["title"], row["writer"]) for row in rows] == [
        ("Monster", {"name": "Mary", "posts": [MONSTER]}),
        ("Diary", {"name": "Mary", "posts": [MONSTER]}),
        ("Travels", {"name": "Mary", "posts": [MONSTER]}),
        ("Ozymandias", {"name": "Percy", "posts": [{"title": "Ozymandias"}]}),
        ("Lost", None),
    ]
    assert rows[3]["tags"] == [VERSE | {"parent": None}, SONNET | {"parent": VERSE}]


async def test_a_model_is_related_to_itself(ada):
    rows = await get(ada, "/archive/tags?expand=parent.children,children.children", 5)

    sonnet = SONNET | {"children": []}
    verse = VERSE | {"children": [SONNET, {"name": "SECRET"}]}
    assert rows == [
        {"name": "prose", "parent": None, "children": []},
        {"name": "verse", "parent": None, "children": [sonnet]},
        {"name": "sonnet", "parent": verse, "children": []},
    ]


async def test_a_key_may_be_any_unique_column(ada):
    row = await get(ada, "/archive/writers/1?expand=letters&fields=name", 2)

    assert row["name"] == "Mary"
    assert [each["text"] for each in row["letters"]] == ["First", "Second"]


async def test_a_key_may_be_of_any_type(ada):
    rows = await get(ada, "/archive/letters?expand=to", 3)

    assert [row["stamps"] for row in rows] == [[{"letter_id": row["id"]}] for row in rows]
    assert [row["to"] for row in rows] == [{"name": "Mary"}] * 2
    row = await get(ada, f"/archive/letters/{rows[0]['id']}", 2)
    assert row == {"id": rows[0]["id"], "text": "First", "stamps": rows[0]["stamps"]}


async def test_lists_stand_beside_the_fields_that_are_asked_for(ada):
    rows = await get(ada, "/archive/writers?fields=name&expand=posts&per_page=1&page=2", 3)

    assert rows == [{"name": "Percy", "posts": [{"title": "Ozymandias"}]}]


@pytest.mark.parametrize(
    ("path", "statements"),
    [
        ("/archive/writers", 2),
        ("/archive/writers?page=7&expand=posts.tags", 2),
        ("/archive/posts?cursor=&expand=comments", 0),
        ("/archive/writers/3?expand=posts.tags,posts.comments", 2),
        ("/archive/tags?offset=9&expand=posts,children", 2),
    ],
)
async def test_no_statement_runs_where_there_are_no_rows_or_keys(ada, path, statements):
    with budget() as spent:
        await ada.get(path)

    assert len(spent) == statements


async def test_the_pages_of_cursors_have_their_lists(ada):
    first = (await ada.get("/archive/posts")).json["pagination"]["next"]
    following = await ada.get("/archive/posts", params={"cursor": first, "expand": "comments"})

    assert following.json["data"] == [
        {"title": "Ozymandias", "tags": [VERSE, SONNET], "comments": [{"text": "King"}]},
        {"title": "Lost", "tags": [], "comments": []},
    ]
    back = following.json["pagination"]["prev"]
    rows = (await ada.get("/archive/posts", params={"cursor": back})).json["data"]
    assert [row["tags"] for row in rows] == [[PROSE], [], []]


PATHS = (
    "/archive/writers?expand=posts.tags,posts.comments.writer",
    "/archive/writers/1?expand=posts.tags,posts.comments",
    "/archive/writers?fields=name&expand=posts.comments",
    "/archive/posts?expand=tags.parent,comments&per_page=50",
    "/archive/posts/1?expand=comments",
    "/archive/tags?expand=children,posts",
    "/archive/tags/2?expand=children,posts",
)


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_outside_of_a_scope_leaks(books, ada, path):
    for client, hidden in ((ada, ()), (books, ("prose", "verse", "sonnet"))):
        text = (await client.get(path)).text

        for name in ("SECRET", *hidden):
            assert name not in text


async def test_a_page_runs_the_same_texts_whatever_its_rows(ada):
    texts = []
    for path in ("per_page=1", "per_page=1&page=2", "per_page=3"):
        with budget() as spent:
            await ada.get(f"/archive/writers?expand=posts,posts.tags&{path}")
        texts.append({each.sql for each in spent.statements[1:]} - {spent.statements[0].sql})

    assert texts[0] == texts[1]
    assert {each for each in texts[2] if "LATERAL" in each} <= texts[0]


async def test_the_statements_do_not_grow_with_the_rows(ada, admin):
    await admin.execute("SET search_path = archive")

    async def add():
        await admin.execute("INSERT INTO writers (name, handle) VALUES ('New', 'new')")
        await admin.execute(
            "INSERT INTO posts (title, likes, hidden, writer_id) "
            "SELECT 'New', 1, false, max(id) FROM writers"
        )

    try:
        await assert_steady(lambda: ada.get("/archive/writers?expand=posts.tags,letters"), add)
    finally:
        await admin.execute("DELETE FROM posts WHERE title = 'New'")
        await admin.execute("DELETE FROM writers WHERE name = 'New'")


async def test_a_list_reads_no_more_than_its_limit(ada, admin):
    with budget() as spent:
        await ada.get("/archive/writers/1?expand=posts")
    text = next(each.sql for each in spent.statements if "LATERAL" in each.sql)
    await admin.execute("BEGIN")
    try:
        await admin.execute("""
            INSERT INTO archive.posts (title, likes, hidden, writer_id)
            SELECT 'Many', n, false, 3 FROM generate_series(1, 20000) AS n;
            ANALYZE archive.posts;
        """)
        plan = "\n".join(
            each[0] for each in await admin.fetch(f"EXPLAIN (ANALYZE) {text}", False, [3])
        )
    finally:
        await admin.execute("ROLLBACK")

    (rows,) = re.findall(r"using posts_by_likes on posts .*actual.* rows=(\d+)", plan)
    assert int(rows) <= 3, plan


def test_the_document_has_arrays_of_related_objects(library_service):
    document = build_document(library_service.operations, library_service.settings)
    schemas = document["components"]["schemas"]
    (name,) = (name for name in schemas if name.startswith("WriterPart"))

    posts = schemas[name]["properties"]["posts"]
    assert posts["type"] == "array"
    assert posts["maxItems"] == 2
    shown = schemas[posts["items"]["$ref"].rpartition("/")[2]]["properties"]
    assert shown["tags"]["type"] == "array"
    assert shown["tags"]["maxItems"] == 100


class Pair(Model):
    left, right = IntegerField(), IntegerField()

    class Meta:
        primary_key = CompositeKey("left", "right")


class Part(Model):
    pair = ForeignKeyField(Pair, backref="parts")
    first = ForeignKeyField(Pair, field="left", backref="twice")
    second = ForeignKeyField(Pair, field="left", backref="twice")


class Bare(Model):
    post = ForeignKeyField(Post, backref="bare")

    class Meta:
        primary_key = False


class Person(Model):
    name = TextField()


class Follow(Model):
    follower = ForeignKeyField(Person, backref="+")
    followed = ForeignKeyField(Person, backref="+")


FOLLOWS = ManyToManyField(Person, backref="followers", through_model=Follow)
Person._meta.add_field("follows", FOLLOWS)
PersonSchema = schema_of(Person, "name")
PairSchema, PartSchema = schema_of(Pair, "left"), schema_of(Part, "first_id")
BareSchema = schema_of(Bare, "post_id")
MISTAKES = {
    "unknown": (
        PostSchema,
        {"authors": WriterSchema},
        "is no relation of Post; expected one of its foreign keys: writer; backrefs: comments, ",
    ),
    "many": (TagSchema, {"tags": TagSchema}, "many-to-many fields: posts"),
    "hidden backref": (WriterSchema, {"comment_set": CommentSchema}, "is no relation of Writer"),
    "other model": (PostSchema, {"comments": TagSchema}, "shows Comment by TagSchema"),
    "limit": (
        PostSchema,
        {"tags": Expansion(TagSchema, limit=0)},
        "has the limit 0; expected a number",
    ),
    "limits": (
        WriterSchema,
        {"posts": Expansion(PostSchema, limit="9"), "posts.tags": TagSchema},
        "expand['posts'] has the limit '9'; expected a number from 1 to 1000",
    ),
    "lost": (
        WriterSchema,
        {"post": Post, "post.writer": Post, "post.writer.posts": PostSchema},
        "expand['post.writer'] is <Model: Post>; expected a schema",
    ),
    "order of no names": (
        PostSchema,
        {"tags": Expansion(TagSchema, order=3)},
        "has the order 3; expected a tuple",
    ),
    "order": (
        PostSchema,
        {"tags": Expansion(TagSchema, order="-age")},
        "is ordered by '-age', which is no column of Tag; expected some of id, name, owner, parent",
    ),
    "object": (
        PostSchema,
        {"writer": Expansion(WriterSchema, limit=3)},
        "and is one object. Drop them",
    ),
    "no order": (
        PostSchema,
        {"bare": BareSchema},
        "has no order, as Bare has no primary key. Write order=",
    ),
    "composite": (
        PairSchema,
        {"parts": PartSchema},
        "goes by Part.pair, and Pair has a composite key",
    ),
    "composite object": (
        PartSchema,
        {"pair": PairSchema},
        "goes by Part.pair, and Pair has a composite key",
    ),
    "itself": (
        PersonSchema,
        {"follows": PersonSchema},
        "expand['follows'] goes through Follow, both of whose keys refer to Person. Expand the",
    ),
    "ambiguous": (
        PairSchema,
        {"twice": PartSchema},
        "is the backref of Part.first and of Part.second",
    ),
    "too many": (
        WriterSchema,
        {"posts": PostSchema, "posts.tags": TagSchema},
        "expand['posts.tags'] may answer 100 × 100 objects for each row; expected 1000 at most",
    ),
    "taken": (
        schema_of(Post, "title", "writer"),
        {"writer": WriterSchema},
        "takes the name of a field that the schema has. Call that 'writer_id'",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_reported_at_start_up(case):
    schema, expand, found = MISTAKES[case]

    assert found in mistakes_of(expand, schema=schema)


def test_an_expanded_list_says_a_scope_where_the_collection_has_one():
    found = mistakes_of({"posts": PostSchema}, Posts, schema=WriterSchema)

    assert "answers rows of Posts, which has a scope" in found
