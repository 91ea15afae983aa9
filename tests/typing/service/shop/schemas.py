"""The shop's objects as JSON."""

from marshmallow import validate

from msframework import ModelSchema, Reference, Schema
from msframework.schemas import fields
from shop.api import SupplierApi
from shop.models import Product


class ProductSchema(ModelSchema):
    """A product."""

    supplier_id = Reference(SupplierApi, required=True)

    class Meta:
        model = Product
        fields = ("id", "name", "price", "stock", "supplier_id", "create_time")
        dump_only = ("create_time",)


class ProductQuery(Schema):
    """The filters of the list of products."""

    name = fields.String(validate=validate.Length(max=64))


class OrderSchema(Schema):
    """An order of one product."""

    count = fields.Integer(required=True, validate=validate.Range(min=1, max=100))
