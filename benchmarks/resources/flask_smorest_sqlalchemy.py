"""The resource in flask-smorest, with Flask-SQLAlchemy and Flask-JWT-Extended."""

import os
from datetime import UTC, datetime

from flask import Flask
from flask.views import MethodView
from flask_jwt_extended import JWTManager, get_jwt_identity, jwt_required
from flask_smorest import Api, Blueprint, abort
from flask_sqlalchemy import SQLAlchemy
from marshmallow import Schema, fields
from marshmallow_sqlalchemy import SQLAlchemyAutoSchema, auto_field
from sqlalchemy import DateTime, String, Text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

app = Flask(__name__)
app.config.update(
    API_TITLE="Notes",
    API_VERSION="1",
    OPENAPI_VERSION="3.1.0",
    OPENAPI_URL_PREFIX="/",
    OPENAPI_JSON_PATH="openapi.json",
    JWT_SECRET_KEY=os.environ["JWT_SECRET"],
    SQLALCHEMY_DATABASE_URI=os.environ["DATABASE_URL"].replace(
        "postgresql:", "postgresql+psycopg:"
    ),
)
db = SQLAlchemy(app)
jwt = JWTManager(app)
api = Api(app)


# The resource.
class Note(db.Model):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(index=True)
    title: Mapped[str] = mapped_column(String(128), unique=True)
    body: Mapped[str] = mapped_column(Text, default="")
    create_time: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), default=lambda: datetime.now(UTC)
    )


class NoteSchema(SQLAlchemyAutoSchema):
    class Meta:
        model = Note
        exclude = ("owner_id",)

    id = auto_field(dump_only=True)
    create_time = auto_field(dump_only=True)
    body = auto_field(load_default="")


class NoteFilterSchema(Schema):
    title__icontains = fields.String()
    create_time__gte = fields.AwareDateTime(default_timezone=UTC)


blp = Blueprint("notes", __name__, url_prefix="/notes", description="The caller's notes")


@blp.route("")
class Notes(MethodView):
    @blp.doc(security=[{"bearer": []}])
    @jwt_required()
    @blp.arguments(NoteFilterSchema, location="query")
    @blp.response(200, NoteSchema(many=True))
    @blp.paginate(page_size=20, max_page_size=100)
    def get(self, filters, pagination_parameters):
        notes = db.select(Note).where(Note.owner_id == int(get_jwt_identity()))
        if "title__icontains" in filters:
            title = filters["title__icontains"]
            notes = notes.where(Note.title.icontains(title, autoescape=True))
        if "create_time__gte" in filters:
            notes = notes.where(Note.create_time >= filters["create_time__gte"])
        count = db.select(db.func.count()).select_from(notes.subquery())
        pagination_parameters.item_count = db.session.scalar(count)
        first, size = pagination_parameters.first_item, pagination_parameters.page_size
        return db.session.scalars(notes.order_by(Note.id).offset(first).limit(size)).all()

    @blp.doc(security=[{"bearer": []}])
    @jwt_required()
    @blp.arguments(NoteSchema)
    @blp.response(201, NoteSchema)
    @blp.alt_response(409, description="Another note has this title")
    def post(self, values):
        note = Note(owner_id=int(get_jwt_identity()), **values)
        db.session.add(note)
        return save(note)


@blp.route("/<int:note_id>")
class NoteById(MethodView):
    @blp.doc(security=[{"bearer": []}])
    @jwt_required()
    @blp.response(200, NoteSchema)
    @blp.alt_response(404, description="No such note")
    def get(self, note_id):
        return get_note(note_id)

    @blp.doc(security=[{"bearer": []}])
    @jwt_required()
    @blp.arguments(NoteSchema(partial=True))
    @blp.response(200, NoteSchema)
    @blp.alt_response(404, description="No such note")
    @blp.alt_response(409, description="Another note has this title")
    def patch(self, values, note_id):
        note = get_note(note_id)
        for name, value in values.items():
            setattr(note, name, value)
        return save(note)

    @blp.doc(security=[{"bearer": []}])
    @jwt_required()
    @blp.response(204)
    @blp.alt_response(404, description="No such note")
    def delete(self, note_id):
        db.session.delete(get_note(note_id))
        db.session.commit()


def get_note(note_id):
    notes = db.select(Note).where(Note.id == note_id, Note.owner_id == int(get_jwt_identity()))
    note = db.session.scalar(notes)
    if note is None:
        abort(404, message="No such note")
    return note


def save(note):
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        abort(409, message="Another note has this title")
    return note


# The service.
api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
api.register_blueprint(blp)


def prepare() -> None:
    with app.app_context():
        db.create_all()
