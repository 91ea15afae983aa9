"""The tables of the shop."""

from msframework.models import (
    AutoField,
    CharField,
    DateTimeTZField,
    DecimalField,
    IntegerField,
    Model,
    utcnow,
)


class Product(Model):
    """A product."""

    id = AutoField()
    name = CharField(max_length=64, unique=True)
    price = DecimalField(max_digits=10, decimal_places=2)
    stock = IntegerField(default=0)
    supplier_id = IntegerField()
    create_time = DateTimeTZField(default=utcnow)

    class Meta:
        table_name = "products"
