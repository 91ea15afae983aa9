"""A service of collections: notes of people, tags by slug, memberships by two keys."""

from msframework import (
    Blueprint,
    Conflict,
    ModelResource,
    ModelSchema,
    NotFound,
    Scopes,
    Unauthorized,
    doc,
)
from msframework.access import Authenticator, Principal
from msframework.models import (
    SQL,
    BooleanField,
    CharField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)
from msframework.pagination import Cursors, Offsets
from msframework.schemas import fields

TABLES = """
CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE notes (
    id serial PRIMARY KEY,
    person_id integer NOT NULL CONSTRAINT notes_person_id_fkey REFERENCES people ON DELETE CASCADE,
    title varchar(40) NOT NULL,
    text text,
    pinned boolean NOT NULL,
    state varchar(10) NOT NULL DEFAULT 'draft',
    CONSTRAINT notes_person_id_title UNIQUE (person_id, title),
    CONSTRAINT notes_text_makes_sense CHECK (text <> 'nonsense')
);
CREATE TABLE marks (
    note_id integer NOT NULL CONSTRAINT marks_note_id_fkey REFERENCES notes
);
CREATE TABLE tags (
    id serial PRIMARY KEY, slug varchar(20) NOT NULL CONSTRAINT tags_slug UNIQUE, label text,
    secret text
);
CREATE TABLE taggings (
    id serial PRIMARY KEY, tag_id integer NOT NULL CONSTRAINT taggings_tag_id_fkey REFERENCES tags
);
CREATE TABLE memberships (
    team integer, member integer, role varchar(10) NOT NULL, PRIMARY KEY (team, member)
);
"""
CLEAR = "TRUNCATE people, notes, tags, taggings, memberships RESTART IDENTITY CASCADE"


class Person(Model):
    name = TextField()

    class Meta:
        table_name = "people"


class Note(Model):
    """A note of somebody."""

    person = ForeignKeyField(Person, on_delete="CASCADE")
    title = CharField(max_length=40)
    text = TextField(null=True)
    pinned = BooleanField(default=False)
    state = CharField(max_length=10, constraints=[SQL("DEFAULT 'draft'")])

    class Meta:
        table_name = "notes"
        indexes = ((("person", "title"), True),)


class Tag(Model):
    slug = CharField(max_length=20, unique=True)
    label = TextField(null=True)
    secret = TextField(null=True)

    class Meta:
        table_name = "tags"


class Tagging(Model):
    tag = ForeignKeyField(Tag)

    class Meta:
        table_name = "taggings"


class Membership(Model):
    team = IntegerField()
    member = IntegerField()
    role = CharField(max_length=10)

    class Meta:
        table_name = "memberships"
        primary_key = CompositeKey("team", "member")


class NoteSchema(ModelSchema):
    """A note."""

    class Meta:
        model = Note
        fields = ("id", "person_id", "title", "text", "pinned", "state")


class NoteRow(ModelSchema):
    """A note in a list."""

    class Meta:
        model = Note
        fields = ("id", "title")


class TagSchema(ModelSchema):
    """A tag; its secret goes in, and never comes out."""

    class Meta:
        model = Tag
        fields = ("id", "slug", "label", "secret")
        load_only = ("secret",)


class NewTag(TagSchema):
    """A new tag; its label is made small letters."""

    label = fields.String(required=True)


class MembershipSchema(ModelSchema):
    class Meta:
        model = Membership
        fields = ("team", "member", "role")


class TitleTaken(Conflict):
    """The person has a note of this title."""

    code = 15001
    message = "There is a note of this title"


class TagInUse(Conflict):
    """The tag stands somewhere."""

    code = 15002
    message = "The tag is in use"


class ByName(Authenticator):
    """Callers say who they are, by number."""

    scheme = {"type": "apiKey", "in": "header", "name": "X-Caller"}
    challenge = "Name"
    header = "x-caller"

    async def authenticate(self, request):
        caller = request.headers.get("x-caller")
        if caller is None:
            return None
        if not caller.isdecimal() or len(caller) > 9:
            raise Unauthorized
        return Principal(caller, authenticator="name")


ALL_ACTIONS = (*ModelResource.actions, "bulk_create", "bulk_patch", "bulk_delete")


class OwnRows(ModelResource):
    """Rows of the caller, but for hidden ones."""

    schema = NoteSchema
    actions = ALL_ACTIONS
    bulk_size = 5
    list_schema = NoteRow
    raises = {"notes_person_id_title": TitleTaken}

    def scope(self, request, principal):
        return (Note.person == (int(principal.id) if principal else 0)) & (Note.state != "hidden")


notes = Blueprint("notes", url_prefix="/notes")


@notes.collection("/", item="/<id:int>")
class Notes(OwnRows):
    """The notes of the caller."""

    filters = {"title": ("eq", "icontains"), "pinned": ("eq",)}
    sort = ("id", "title")
    search = ("title", "text")


people = Blueprint("people", url_prefix="/people/<person_id:int>")


@people.collection("/notes", item="/notes/<id:int>")
class NotesOfPerson(OwnRows):
    """The notes of a person, who is the caller."""


@people.collection("/open", item="/open/<id:int>", name="Open")
class OpenNotes(ModelResource):
    """The notes of a person, for everybody."""

    schema = NoteSchema
    paging = Offsets(limit=2)


titles = Blueprint("titles", url_prefix="/titles")


class ByTitle(ModelResource):
    """The notes of the caller by their titles, which others may have, too."""

    schema = NoteSchema
    lookup = "title"
    actions = ("read", "replace", "patch", "delete")

    def scope(self, request, principal):
        return None if principal is None else Note.person == principal.id_as(int)


@titles.collection("/new")
class NewTitles(ModelResource):
    """Notes, whose state is answered to their authors alone."""

    schema = NoteRow
    create_schema = NoteSchema
    created_schema = {"title": str, "state": str}
    actions = ("create",)


@titles.collection("/plain", item="/plain/<title>", name="PlainTitles")
class PlainTitles(ByTitle):
    """Those notes, without seams."""


@titles.collection("/locked", item="/locked/<title>", name="LockedTitles")
class LockedTitles(ByTitle):
    """Those notes, each read before it is written."""

    async def before_update(self, row): ...

    async def before_delete(self, row): ...


tags = Blueprint("tags", url_prefix="/tags")


@tags.collection("/", item="/<slug>")
class Tags(ModelResource):
    """Tags, by their slug."""

    schema = TagSchema
    create_schema = NewTag
    created_schema = {"id": int, "slug": str}
    lookup = "slug"
    noun = "tag"
    raises = {"taggings_tag_id_fkey": TagInUse}

    async def before_create(self, request, values, tx):
        values["label"] = values["label"].lower()

    @doc.summary("Read a tag aloud")
    async def read(self, request, slug, cur):
        row = await super().read(request, slug=slug, cur=cur)
        return {**row, "label": (row["label"] or "").upper()}


memberships = Blueprint("memberships", url_prefix="/memberships")


@memberships.collection("/", item="/<team:int>/<member:int>")
class Memberships(ModelResource):
    """Who belongs to which team."""

    schema = MembershipSchema
    paging = Cursors(per_page=2)
    sort = ("-role", "team")
    guards = (~Scopes("none").on("POST"),)

    def scope(self, request):
        return "x-nothing" not in request.headers and Membership.role != "hidden"


members = Blueprint("members", url_prefix="/teams/<team:int>/members")


@members.collection("/", item="/<member:int>")
class Members(ModelResource):
    """The members of one team, for everybody."""

    schema = MembershipSchema
    actions = ("list", "create", "bulk_delete")


diary = Blueprint("diary", url_prefix="/diary")
happened = []


@diary.collection("/", item="/<id:int>")
class Diary(ModelResource):
    """Notes whose seams tell what they were given."""

    schema = NoteSchema
    actions = ALL_ACTIONS

    def query(self, request, query):
        return query.where(Note.state != "hidden")

    async def before_create(self, request, values, tx):
        if values["title"] == "refused":
            raise Conflict("no such title")
        values["title"] = values["title"].strip()

    async def after_create(self, row, tx):
        title = await tx.fetchval("SELECT title FROM notes WHERE id = $1", row["id"])
        assert title == row["title"]
        happened.append(("created", row["id"]))

    async def before_update(self, row, values):
        happened.append(("from", row["state"]))
        if row["state"] == "final":
            raise Conflict("it is final")

    async def after_update(self, row, key, values):
        happened.append(("to", key, row["state"]))

    async def before_delete(self, key):
        happened.append(("deleting", key))

    async def after_delete(self, row, principal=None):
        happened.append(("deleted", row["title"]))

    async def after_commit(self, request, action, row):
        happened.append((action, row["id"]))


class NamedNote(NoteSchema):
    """A note whose person the path names."""

    class Meta(NoteSchema.Meta):
        dump_only = ("person_id",)


async def find_person(name, cur):
    return await cur.one(Person.select().where(Person.name == name))


named = Blueprint("named", url_prefix="/named/<name>")
named.provide("person", find_person, raises=(NotFound,))


@named.collection("/notes", item="/notes/<id:int>")
class NotesOfNamed(ModelResource):
    """The notes of a person, whose name no column of a note has."""

    schema = NamedNote
    parent = {"name": None}
    filters = {"title": ("eq",)}

    def scope(self, request, person):
        return self.model.person == person["id"]

    async def before_create(self, values, person):
        values["person_id"] = person["id"]

    @doc.query({"loud": doc.Boolean(required=False)})
    async def list(self, request, query, page, filters, cur, person):
        found = await super().list(request, page=page, filters=filters, cur=cur, person=person)
        if query.get("loud"):
            found.rows[:] = [{**row, "title": row["title"].upper()} for row in found.rows]
        return found


known = Blueprint("known", url_prefix="/known")


@known.collection("/", item="/<id:int>")
class NotesOfKnown(ModelResource):
    """The notes of Ada; nobody else is known, nor may be referred to."""

    schema = NoteSchema

    def scope(self, request):
        return Note.person.in_(Person.select(Person.id).where(Person.name == "Ada"))


BLUEPRINTS = (diary, notes, people, titles, tags, memberships, members, named, known)
