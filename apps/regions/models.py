"""The tables of the regions service."""

from msframework.models import CharField, DateTimeTZField, ForeignKeyField, Model, utcnow


class Province(Model):
    """A province; its name is unique."""

    name = CharField(max_length=32, unique=True, verbose_name="province name")
    create_time = DateTimeTZField(default=utcnow, verbose_name="create time")

    class Meta:
        table_name = "provinces"


class City(Model):
    """A city, in one province."""

    name = CharField(max_length=32, verbose_name="city name")
    province = ForeignKeyField(Province, backref="cities", verbose_name="province of the city")
    create_time = DateTimeTZField(default=utcnow, verbose_name="create time")

    class Meta:
        table_name = "cities"
        indexes = ((("province", "name"), True),)
