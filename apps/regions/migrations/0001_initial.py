# Generated from a schema diff on 2026-11-24 03:04.
from peewee import CharField, ForeignKeyField, Model

from msframework.models.base import DateTimeTZField, utcnow


def up(migrator, db):
    class Province(Model):
        name = CharField(unique=True, max_length=32)
        create_time = DateTimeTZField(default=utcnow)

        class Meta:
            database = db
            table_name = "provinces"
            legacy_table_names = False

    db.create_tables([Province])

    class City(Model):
        name = CharField(max_length=32)
        province = ForeignKeyField(Province)
        create_time = DateTimeTZField(default=utcnow)

        class Meta:
            database = db
            table_name = "cities"
            legacy_table_names = False
            indexes = ((("province", "name"), True),)

    db.create_tables([City])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("cities"))
    migrator.migrate(migrator.drop_table("provinces"))
