"""The tables of the shop."""

from msframework.models import (
    CharField,
    DateTimeTZField,
    DecimalField,
    IntegerField,
    Model,
    utcnow,
)
from shop.api import SupplierApi


class Product(Model):
    """A product."""

    name = CharField(max_length=64, unique=True)
    price = DecimalField(max_digits=10, decimal_places=2)
    stock = IntegerField(default=0)
    supplier_id = IntegerField(help_text=SupplierApi)
    create_time = DateTimeTZField(default=utcnow)

    class Meta:
        table_name = "products"
