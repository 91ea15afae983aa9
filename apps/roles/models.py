"""The table of the roles service."""

from msframework.models import CharField, DateTimeTZField, Model, TextField, utcnow


class Role(Model):
    """A role; its name is unique."""

    name = CharField(max_length=128, unique=True, verbose_name="role name")
    description = TextField(null=True, verbose_name="what the role is for")
    create_time = DateTimeTZField(default=utcnow, verbose_name="create time")

    class Meta:
        table_name = "roles"
