"""The resource in msframework."""

import os

from msframework import (
    Authenticated,
    Blueprint,
    Conflict,
    ModelResource,
    ModelSchema,
    Service,
)
from msframework.access import JWTBearer
from msframework.migrations.connection import opened
from msframework.models import CharField, DateTimeTZField, IntegerField, Model, TextField, utcnow


# The resource.
class Note(Model):
    owner_id = IntegerField(index=True)
    title = CharField(max_length=128, unique=True)
    body = TextField(default="")
    create_time = DateTimeTZField(default=utcnow)

    class Meta:
        table_name = "notes"


class NoteSchema(ModelSchema):
    class Meta:
        model = Note
        fields = ("id", "title", "body", "create_time")
        dump_only = ("create_time",)


class TitleTaken(Conflict):
    message = "Another note has this title"


notes = Blueprint("notes", url_prefix="/notes", guards=(Authenticated(),))


@notes.collection("/", item="/<id:int>")
class Notes(ModelResource):
    schema = NoteSchema
    actions = ("list", "create", "read", "patch", "delete")
    filters = {"title": ("icontains",), "create_time": ("gte",)}
    raises = {"notes_title": TitleTaken}

    def scope(self, request, principal):
        return Note.owner_id == int(principal.id)

    async def before_create(self, request, values, principal, tx):
        values["owner_id"] = int(principal.id)


# The service.
def configure(service: Service) -> None:
    bearer = JWTBearer(os.environ["JWT_SECRET"], "HS256", audience=None, issuer=None)
    service.authenticate("token", bearer)
    service.blueprint(notes)


def prepare() -> None:
    with opened(os.environ["DATABASE_URL"]) as database, Note.bind_ctx(database):
        database.create_tables([Note])
