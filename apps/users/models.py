"""The table of the users service."""

from apps.users.api import CityApi, RoleApi
from msframework.models import CharField, DateTimeTZField, IntegerField, Model, utcnow


class User(Model):
    """A user; city and role belong to other services, so only their ids are here."""

    name = CharField(max_length=128, verbose_name="user's name")
    email = CharField(max_length=128, unique=True, verbose_name="user's email")
    age = IntegerField(verbose_name="user's age")
    city_id = IntegerField(verbose_name="city of the user", help_text=CityApi)
    role_id = IntegerField(verbose_name="role of the user", help_text=RoleApi)
    password = CharField(max_length=128, verbose_name="salted hash of the password")
    create_time = DateTimeTZField(default=utcnow, verbose_name="create time")

    class Meta:
        table_name = "users"
