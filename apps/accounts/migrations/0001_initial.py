# Generated from a schema diff on 2026-11-30 01:11.
from peewee import CharField, FixedCharField, ForeignKeyField, Model, TextField, UUIDField

from msframework.models.base import DateTimeTZField, utcnow


def up(migrator, db):
    class Account(Model):
        email = CharField(unique=True, max_length=128)
        password = CharField()
        scopes = TextField(default="")
        create_time = DateTimeTZField(default=utcnow)

        class Meta:
            database = db
            table_name = "accounts"
            legacy_table_names = False

    db.create_tables([Account])

    class Session(Model):
        id = UUIDField(primary_key=True)
        account = ForeignKeyField(Account, on_delete="CASCADE")
        digest = FixedCharField(null=True, max_length=64)
        expire_time = DateTimeTZField()

        class Meta:
            database = db
            table_name = "sessions"
            legacy_table_names = False

    db.create_tables([Session])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("sessions"))
    migrator.migrate(migrator.drop_table("accounts"))
