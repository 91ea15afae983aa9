"""A service of collections whose rows are related: books, authors, cities, readers."""

from marshmallow import Schema, fields

from msframework import ALL, Blueprint, ModelResource, ModelSchema
from msframework.collection import Expansion
from msframework.collection.expansion import BatchedExpansion
from msframework.models import CharField, DecimalField, ForeignKeyField, Model, TextField
from msframework.pagination import Cursors

TABLES = """
CREATE SCHEMA IF NOT EXISTS library;
SET search_path = library;
CREATE TABLE countries (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE cities (
    id serial PRIMARY KEY, name text NOT NULL, country_id integer NOT NULL REFERENCES countries
);
CREATE TABLE authors (
    id serial PRIMARY KEY, name text NOT NULL, owner text NOT NULL,
    city_id integer REFERENCES cities, password text
);
CREATE TABLE books (
    id serial PRIMARY KEY, title varchar(40) NOT NULL, price numeric(8, 2) NOT NULL, blurb text,
    author_id integer REFERENCES authors
);
INSERT INTO countries (name) VALUES ('France');
INSERT INTO cities (name, country_id) VALUES ('Lyon', 1), ('Paris', 1);
INSERT INTO authors (name, owner, city_id, password) VALUES
    ('Louise', '1', 1, 'hush'), ('Hidden', '2', 2, 'hush'), ('Nowhere', '1', NULL, 'hush');
INSERT INTO books (title, price, blurb, author_id) VALUES
    ('Sonnets', 10.50, 'Verse.', 1), ('Secrets', 7.00, NULL, 2), ('Songs', 3.00, 'More.', 1),
    ('Anonymous', 1.00, NULL, NULL), ('Travels', 2.00, NULL, 3);
"""


class Country(Model):
    name = TextField()

    class Meta:
        schema = "library"
        table_name = "countries"


class City(Model):
    name = TextField()
    country = ForeignKeyField(Country)

    class Meta:
        schema = "library"
        table_name = "cities"


class Author(Model):
    name = TextField()
    owner = TextField()
    city = ForeignKeyField(City, null=True)
    password = TextField(null=True)

    class Meta:
        schema = "library"
        table_name = "authors"


class Book(Model):
    title = CharField(max_length=40)
    price = DecimalField(8, 2)
    blurb = TextField(null=True)
    author = ForeignKeyField(Author, null=True, backref="books")

    class Meta:
        schema = "library"
        table_name = "books"


class BookSchema(ModelSchema):
    """A book."""

    class Meta:
        model = Book
        fields = ("id", "title", "price", "blurb", "author_id")


class BookRow(ModelSchema):
    """A book in a list."""

    class Meta:
        model = Book
        fields = ("id", "title", "price")


chosen = Blueprint("chosen", url_prefix="/chosen")


@chosen.collection("/all", item="/all/<id:int>", name="All")
class AllFields(ModelResource):
    """Books, by any fields."""

    schema = BookSchema
    fields = ALL
    sort = ("title",)
    filters = {"title": ("eq",)}


@chosen.collection("/some", item="/some/<id:int>", name="Some")
class SomeFields(ModelResource):
    """Books, by some fields, cut by cursors."""

    schema = BookSchema
    list_schema = BookRow
    fields = ("id", "price", "blurb")
    sort = ("title",)
    paging = Cursors(per_page=2)

    def scope(self, request, principal):
        return Book.id < 3


@chosen.collection("/own", item="/own/<id:int>", name="Own")
class OwnRead(ModelResource):
    """Books whose one is read by a method of its own."""

    schema = BookSchema
    actions = ("list", "read")
    fields = ALL

    async def read(self, request, id, cur):
        return await super().read(request, id=id, cur=cur)


class CountrySchema(ModelSchema):
    class Meta:
        model = Country
        fields = ("id", "name")


class CitySchema(ModelSchema):
    """A city."""

    class Meta:
        model = City
        fields = ("name",)


class AuthorSchema(ModelSchema):
    """An author."""

    class Meta:
        model = Author
        fields = ("id", "name", "password")
        load_only = ("password",)


related = Blueprint("related", url_prefix="/related")


@related.collection("/authors", item="/authors/<id:int>")
class Authors(ModelResource):
    """The authors of the caller."""

    schema = AuthorSchema

    def scope(self, request, principal):
        return Author.owner == (principal.id if principal else "")


def of_caller(principal):
    return Author.owner == (principal.id if principal else "")


@related.collection("/books", item="/books/<id:int>")
class Books(ModelResource):
    """Books, with their authors where those are the caller's."""

    schema = BookSchema
    list_schema = BookRow
    expand = {
        "author": Expansion(AuthorSchema, scope=Authors),
        "author.city": CitySchema,
        "author.city.country": CountrySchema,
    }
    fields = ALL
    sort = ("id",)


@related.collection("/cursors", item="/cursors/<id:int>", name="ByCursors")
class ByCursors(ModelResource):
    """Books, which always have their authors, cut by cursors."""

    schema = BookSchema
    expand = {"author": Expansion(AuthorSchema, scope=of_caller, always=True)}
    sort = ("title",)
    paging = Cursors(per_page=3)

    def scope(self, request, principal):
        return Book.id < 5


@related.collection("/open", item="/open/<id:int>", name="Open")
class OpenBooks(ModelResource):
    """Books, with authors for everybody."""

    schema = BookSchema
    expand = {"author": Expansion(AuthorSchema, scope=None)}


class ShelfSchema(Schema):
    """Where a book stands."""

    number = fields.Integer()
    held = fields.Boolean()


class Shelf(BatchedExpansion):
    """The shelf of a book with a blurb, from elsewhere: an expansion and its batch in one."""

    path, has_scope, is_remote = "", False, True

    def __init__(self, always=False):
        super().__init__(ShelfSchema, scope=None, always=always)
        self.calls = []

    def why_wrong(self, model):
        return () if "blurb" in model._meta.fields else ("needs a blurb", "a model that has one")

    def find_key(self, model):
        return model._meta.fields["blurb"]

    def batch(self, path, model):
        self.path, self.key = path, self.find_key(model)
        return self

    def empty(self):
        return None

    def member(self, schema):
        return fields.Nested(schema, dump_only=True, allow_none=True)

    async def fetch(self, keys, asked, request, principal, cur):
        self.calls.append(keys)
        return {key: {"number": len(key), "held": cur.lease is not None} for key in keys}


@related.collection("/shelves", item="/shelves/<id:int>", name="Shelves")
class BooksOnShelves(ModelResource):
    """Books, and what only another service knows of them."""

    schema = BookRow
    fields = ALL
    expand = {"shelf": Shelf(), "author": Expansion(AuthorSchema, scope=None)}

    def scope(self, request, principal):
        return Book.id != 3


BLUEPRINTS = (chosen, related)
