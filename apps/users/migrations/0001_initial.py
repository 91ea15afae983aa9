# Generated from a schema diff on 2026-11-24 03:04.
from peewee import CharField, IntegerField, Model

from msframework.models.base import DateTimeTZField, utcnow


def up(migrator, db):
    class User(Model):
        name = CharField(max_length=128)
        email = CharField(unique=True, max_length=128)
        age = IntegerField()
        city_id = IntegerField()
        role_id = IntegerField()
        password = CharField(max_length=128)
        create_time = DateTimeTZField(default=utcnow)

        class Meta:
            database = db
            table_name = "users"
            legacy_table_names = False

    db.create_tables([User])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("users"))
