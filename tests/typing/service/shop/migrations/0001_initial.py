# Generated from a schema diff on 2026-11-29 22:56.
from peewee import CharField, DecimalField, IntegerField, Model

from msframework.models.base import DateTimeTZField, utcnow


def up(migrator, db):
    class Product(Model):
        name = CharField(unique=True, max_length=64)
        price = DecimalField(decimal_places=2)
        stock = IntegerField(default=0)
        supplier_id = IntegerField()
        create_time = DateTimeTZField(default=utcnow)

        class Meta:
            database = db
            table_name = "products"
            legacy_table_names = False

    db.create_tables([Product])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("products"))
