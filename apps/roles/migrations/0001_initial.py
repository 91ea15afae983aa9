# Generated from a schema diff on 2026-11-24 03:04.
from peewee import CharField, Model, TextField

from msframework.models.base import DateTimeTZField, utcnow


def up(migrator, db):
    class Role(Model):
        name = CharField(unique=True, max_length=128)
        description = TextField(null=True)
        create_time = DateTimeTZField(default=utcnow)

        class Meta:
            database = db
            table_name = "roles"
            legacy_table_names = False

    db.create_tables([Role])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("roles"))
