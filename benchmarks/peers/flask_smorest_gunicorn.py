"""Flask + flask-smorest (marshmallow, OpenAPI) + psycopg 3 pool, on gunicorn gthread x16."""

from concurrent.futures import ThreadPoolExecutor

import orjson
import urllib3
from flask import Flask
from flask.json.provider import JSONProvider
from flask_smorest import Api, Blueprint, abort
from marshmallow import Schema, fields, validate
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from . import common


class OrjsonProvider(JSONProvider):
    def dumps(self, obj, **kwargs):
        return orjson.dumps(obj, default=str).decode()

    def loads(self, s, **kwargs):
        return orjson.loads(s)


class UserOut(Schema):
    id = fields.Integer()
    name = fields.String()
    email = fields.String()
    age = fields.Integer()
    sex = fields.String()
    balance = fields.Decimal(as_string=True)
    city_id = fields.Integer()
    role_id = fields.Integer()
    uid = fields.UUID()
    is_active = fields.Boolean()
    create_time = fields.DateTime(format="iso")


class CityOut(Schema):
    id = fields.Integer()
    name = fields.String()
    country = fields.String()


class RoleOut(Schema):
    id = fields.Integer()
    name = fields.String()
    level = fields.Integer()


class FullUserOut(UserOut):
    city = fields.Nested(CityOut)
    role = fields.Nested(RoleOut)


class UserIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 128))
    email = fields.Email(required=True)
    age = fields.Integer(required=True, validate=validate.Range(0, 150))
    sex = fields.String(required=True, validate=validate.OneOf(["male", "female", "other"]))
    balance = fields.Decimal(required=True)
    city_id = fields.Integer(required=True)
    role_id = fields.Integer(required=True)


class PageQuery(Schema):
    page = fields.Integer(load_default=1, validate=validate.Range(min=1))
    per_page = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class Message(Schema):
    message = fields.String()


class NewId(Schema):
    id = fields.Integer()


class Pagination(Schema):
    page = fields.Integer()
    per_page = fields.Integer()
    total = fields.Integer()


def envelope(name: str, data, **more):
    return Schema.from_dict({"code": fields.Integer(), "data": data, **more}, name=name)


MessageEnvelope = envelope("MessageEnvelope", fields.Nested(Message))
UserEnvelope = envelope("UserEnvelope", fields.Nested(UserOut))
FullUserEnvelope = envelope("FullUserEnvelope", fields.Nested(FullUserOut))
NewIdEnvelope = envelope("NewIdEnvelope", fields.Nested(NewId))
UserPage = envelope(
    "UserPage", fields.List(fields.Nested(UserOut)), pagination=fields.Nested(Pagination)
)

blp = Blueprint("peer", __name__)
pool = ConnectionPool(
    common.DSN,
    min_size=common.POOL,
    max_size=common.POOL,
    open=False,
    kwargs={"row_factory": dict_row},
)
http = urllib3.PoolManager(maxsize=64)
fan = ThreadPoolExecutor(2 * 16)


@blp.route("/json")
@blp.response(200, MessageEnvelope)
def hello():
    return {"code": 0, "data": {"message": "Hello, World!"}}


@blp.route("/users/<int:user_id>")
@blp.response(200, UserEnvelope)
def read_one(user_id):
    with pool.connection() as conn:
        row = conn.execute(common.PY_SELECT_ONE, (user_id,)).fetchone()
    if row is None:
        abort(404, message="user not found")
    return {"code": 0, "data": row}


@blp.route("/users")
@blp.arguments(PageQuery, location="query")
@blp.response(200, UserPage)
def list_users(query):
    page, per_page = query["page"], query["per_page"]
    with pool.connection() as conn:
        rows = conn.execute(common.PY_SELECT_PAGE, (per_page, (page - 1) * per_page)).fetchall()
        total = conn.execute(common.SELECT_TOTAL).fetchone()["count"]
    return {
        "code": 0,
        "data": rows,
        "pagination": {"page": page, "per_page": per_page, "total": total},
    }


@blp.route("/users", methods=["POST"])
@blp.arguments(UserIn)
@blp.response(201, NewIdEnvelope)
def create(user):
    with pool.connection() as conn, conn.transaction():
        row = conn.execute(
            common.PY_INSERT,
            (
                user["name"],
                user["email"],
                user["age"],
                user["sex"],
                user["balance"],
                user["city_id"],
                user["role_id"],
            ),
        ).fetchone()
    return {"code": 0, "data": row}


def upstream(path: str) -> dict:
    return orjson.loads(http.request("GET", common.UPSTREAM + path).data)["data"]


@blp.route("/users/<int:user_id>/full")
@blp.response(200, FullUserEnvelope)
def fanout(user_id):
    with pool.connection() as conn:
        row = conn.execute(common.PY_SELECT_ONE, (user_id,)).fetchone()
    if row is None:
        abort(404, message="user not found")
    city = fan.submit(upstream, f"/cities/{row['city_id']}")
    role = fan.submit(upstream, f"/roles/{row['role_id']}")
    return {"code": 0, "data": {**row, "city": city.result(), "role": role.result()}}


def create_app() -> Flask:
    app = Flask(__name__)
    app.json = OrjsonProvider(app)
    app.config.update(
        API_TITLE="flask peer", API_VERSION="1", OPENAPI_VERSION="3.0.3", OPENAPI_URL_PREFIX="/"
    )
    Api(app).register_blueprint(blp)
    pool.open(wait=True)
    return app
