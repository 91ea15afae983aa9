"""A service of collections whose rows have lists of others: writers, posts, comments, tags."""

from msframework import ALL, Blueprint, ModelResource, ModelSchema
from msframework.collection import Expansion
from msframework.models import (
    BooleanField,
    ForeignKeyField,
    IntegerField,
    ManyToManyField,
    Model,
    TextField,
    UUIDField,
)
from msframework.pagination import Cursors, Offsets

TABLES = """
CREATE SCHEMA archive;
SET search_path = archive;
CREATE TABLE writers (id serial PRIMARY KEY, name text NOT NULL, handle text NOT NULL UNIQUE);
CREATE TABLE posts (
    id serial PRIMARY KEY, title text NOT NULL, likes integer NOT NULL, hidden boolean NOT NULL,
    writer_id integer REFERENCES writers
);
CREATE INDEX posts_by_likes ON posts (writer_id, likes, id);
CREATE TABLE comments (
    id serial PRIMARY KEY, text text NOT NULL, owner text NOT NULL,
    post_id integer NOT NULL REFERENCES posts, writer_id integer REFERENCES writers
);
CREATE TABLE tags (
    id serial PRIMARY KEY, name text NOT NULL, owner text NOT NULL,
    parent_id integer REFERENCES tags
);
CREATE TABLE posts_tags_through (
    id serial PRIMARY KEY, post_id integer NOT NULL REFERENCES posts,
    tag_id integer NOT NULL REFERENCES tags, UNIQUE (post_id, tag_id)
);
CREATE TABLE letters (
    id uuid PRIMARY KEY, text text NOT NULL, to_handle text NOT NULL REFERENCES writers (handle)
);
CREATE TABLE stamps (id serial PRIMARY KEY, letter_id uuid NOT NULL REFERENCES letters);
INSERT INTO writers (name, handle) VALUES ('Mary', 'mary'), ('Percy', 'percy'), ('Nobody', 'no');
INSERT INTO posts (title, likes, hidden, writer_id) VALUES
    ('Monster', 9, false, 1), ('Diary', 2, false, 1), ('SECRET', 5, true, 1),
    ('Travels', 4, false, 1), ('Ozymandias', 7, false, 2), ('Lost', 1, false, NULL);
INSERT INTO comments (text, owner, post_id, writer_id) VALUES
    ('Alive!', '1', 1, 2), ('SECRET', '2', 1, 2), ('Nice', '1', 1, NULL), ('King', '1', 5, 1);
INSERT INTO tags (name, owner, parent_id) VALUES
    ('prose', '1', NULL), ('verse', '1', NULL), ('sonnet', '1', 2), ('SECRET', '2', 2);
INSERT INTO posts_tags_through (post_id, tag_id) VALUES (1, 1), (1, 4), (5, 3), (5, 2), (3, 1);
INSERT INTO letters (id, text, to_handle) VALUES
    ('00000000-0000-0000-0000-000000000002', 'Second', 'mary'),
    ('00000000-0000-0000-0000-000000000001', 'First', 'mary');
INSERT INTO stamps (letter_id) SELECT id FROM letters;
"""


class Writer(Model):
    name = TextField()
    handle = TextField(unique=True)

    class Meta:
        schema = "archive"
        table_name = "writers"


class Tag(Model):
    name = TextField()
    owner = TextField()
    parent = ForeignKeyField("self", null=True, backref="children")

    class Meta:
        schema = "archive"
        table_name = "tags"


class Post(Model):
    title = TextField()
    likes = IntegerField()
    hidden = BooleanField()
    writer = ForeignKeyField(Writer, null=True, backref="posts")
    tags = ManyToManyField(Tag, backref="posts")

    class Meta:
        schema = "archive"
        table_name = "posts"


class Comment(Model):
    text = TextField()
    owner = TextField()
    post = ForeignKeyField(Post, backref="comments")
    writer = ForeignKeyField(Writer, null=True, backref="+")

    class Meta:
        schema = "archive"
        table_name = "comments"


class Letter(Model):
    id = UUIDField(primary_key=True)
    text = TextField()
    to = ForeignKeyField(Writer, field="handle", column_name="to_handle", backref="letters")

    class Meta:
        schema = "archive"
        table_name = "letters"


class Stamp(Model):
    letter = ForeignKeyField(Letter, backref="stamps")

    class Meta:
        schema = "archive"
        table_name = "stamps"


def schema_of(of, *names):
    """Return a schema of the model *of* with the fields *names*."""
    meta = type("Meta", (), {"model": of, "fields": names})
    return type(f"{of.__name__}Schema", (ModelSchema,), {"Meta": meta})


WriterSchema = schema_of(Writer, "name")
PostSchema = schema_of(Post, "title")
CommentSchema = schema_of(Comment, "text")
TagSchema = schema_of(Tag, "name")
StampSchema = schema_of(Stamp, "letter_id")
LetterSchema = schema_of(Letter, "id", "text")


def of_caller(principal):
    return Tag.owner == (principal.id if principal else "")


archive = Blueprint("archive", url_prefix="/archive")


@archive.collection("/posts", item="/posts/<id:int>")
class Posts(ModelResource):
    """Posts, cut by cursors, which always have their tags."""

    schema = PostSchema
    sort = ("id",)
    paging = Cursors(per_page=3)
    expand = {
        "tags": Expansion(TagSchema, scope=of_caller, always=True),
        "tags.parent": Expansion(TagSchema, scope=of_caller),
        "writer": WriterSchema,
        "writer.posts": Expansion(PostSchema, scope=None, order=["-likes"], limit=1),
        "comments": Expansion(CommentSchema, scope=lambda: Comment.owner == "1"),
    }

    def scope(self, request, principal):
        return Post.hidden == False  # noqa: E712 - an expression


@archive.collection("/writers", item="/writers/<id:int>")
class Writers(ModelResource):
    """Writers, by pages, with their posts and what those have."""

    schema = WriterSchema
    fields = ALL
    sort = ("id",)
    expand = {
        "posts": Expansion(PostSchema, scope=Posts, order="-likes", limit=2),
        "posts.tags": Expansion(TagSchema, scope=of_caller, order=("-name",)),
        "posts.comments": Expansion(CommentSchema, scope=lambda: Comment.owner == "1"),
        "posts.comments.writer": WriterSchema,
        "letters": LetterSchema,
    }


@archive.collection("/tags", item="/tags/<id:int>")
class Tags(ModelResource):
    """The tags of the caller, by offsets, with those around them."""

    schema = TagSchema
    paging = Offsets()
    actions = ("list", "read", "create", "patch")
    expand = {
        "parent": Expansion(TagSchema, scope=None),
        "parent.children": Expansion(TagSchema, scope=None),
        "children": Expansion(TagSchema, scope=of_caller),
        "children.children": Expansion(TagSchema, scope=None, limit=5),
        "posts": Expansion(PostSchema, scope=Posts),
    }

    def scope(self, request, principal):
        return of_caller(principal)


@archive.collection("/letters", item="/letters/<id:uuid>")
class Letters(ModelResource):
    """Letters, whose keys are UUIDs."""

    schema = LetterSchema
    expand = {"stamps": Expansion(StampSchema, always=True), "to": WriterSchema}


BLUEPRINTS = (archive,)
