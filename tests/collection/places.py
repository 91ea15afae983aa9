"""A service of people who live and work in other services: one of them is it itself."""

from msframework import ALL, Blueprint, ModelResource, ModelSchema, Remote, doc
from msframework.models import CharField, ForeignKeyField, IntegerField, Model

TABLES = """
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.towns (id serial PRIMARY KEY, name text NOT NULL, mayor text);
CREATE TABLE elsewhere.people (
    id serial PRIMARY KEY, name text NOT NULL, town_id integer, role_id integer, boss_id integer
);
INSERT INTO elsewhere.towns (name, mayor) VALUES ('Lyon', 'A'), ('Paris', 'B'), ('Nice', 'C');
INSERT INTO elsewhere.people (name, town_id, role_id, boss_id) VALUES
    ('Ada', 1, 7, NULL), ('Bob', 2, NULL, 1), ('Eve', 1, 7, 2), ('Dan', 9, 8, 1),
    ('Kay', NULL, 8, 4);
"""


class Town(Model):
    name = CharField()
    mayor = CharField(null=True)

    class Meta:
        schema = "elsewhere"
        table_name = "towns"


class Person(Model):
    name = CharField()
    town_id = IntegerField(null=True)
    role_id = IntegerField(null=True)
    boss = ForeignKeyField("self", null=True)

    class Meta:
        schema = "elsewhere"
        table_name = "people"


class TownSchema(ModelSchema):
    class Meta:
        model = Town
        fields = ("id", "name", "mayor")


class PlaceApi:
    """A town of the towns service."""

    id = int
    name = doc.String("name of the town")


class RoleApi:
    """A role of the roles service."""

    id = int
    name = doc.String("name of the role")


class PersonSchema(ModelSchema):
    class Meta:
        model = Person
        fields = ("id", "name", "town_id")


class BossSchema(ModelSchema):
    class Meta:
        model = Person
        fields = ("name",)


TOWN = Remote("towns", "/towns", key="town_id", schema=PlaceApi)
ROLE = Remote("roles", "/roles/{id}", key="role_id", schema=RoleApi, forward=("Authorization",))
places = Blueprint("places")


@places.collection("/towns")
class Towns(ModelResource):
    """The towns service, which is this one itself."""

    schema = TownSchema
    actions = ("list",)
    filters = {"id": ("in",)}


@places.collection("/people", item="/people/<id:int>")
class People(ModelResource):
    """People, who live and work elsewhere."""

    schema = PersonSchema
    fields = ALL
    expand = {"town": TOWN, "role": ROLE, "boss": BossSchema, "boss.town": TOWN}
    sort = ("id",)


@places.collection("/townsmen", item="/townsmen/<id:int>", name="Townsmen")
class Townsmen(ModelResource):
    """People, always with their towns, and read by a method of its own."""

    schema = PersonSchema
    actions = ("list", "read")
    expand = {"town": Remote("towns", "/towns", key="town_id", schema=PlaceApi, always=True)}

    async def read(self, request, id, cur):
        person = await super().read(request, id=id, cur=cur)
        return {**person, "name": await cur.fetchval("SELECT upper($1::text)", person["name"])}
