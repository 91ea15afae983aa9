"""What the regions service reads and answers."""

from apps.regions.models import City, Province
from msframework import ModelSchema
from msframework.schemas import fields


class ProvinceSchema(ModelSchema):
    """A province."""

    class Meta:
        model = Province
        fields = ("id", "name", "create_time")
        dump_only = ("create_time",)


class CitySchema(ModelSchema):
    """A city; it is written with the id of its province, and read with the province itself."""

    province = fields.Nested(ProvinceSchema, dump_only=True)

    class Meta:
        model = City
        fields = ("id", "name", "province_id", "province", "create_time")
        load_only = ("province_id",)
        dump_only = ("create_time",)
