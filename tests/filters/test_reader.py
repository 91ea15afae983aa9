"""A declaration of filters on an endpoint: what it reads, refuses and documents."""

import aiohttp
import pytest
import pytest_asyncio

from msframework import Blueprint, FilterSet, doc
from msframework.filters import FilterReader
from msframework.models import CharField, IntegerField, JSONField, Model
from msframework.schemas import ModelSchema, fields
from tests.conftest import new_service, serve_service
from tests.filters.rows import ThingFilters, parameters

pytestmark = pytest.mark.asyncio(loop_scope="module")


class UserModel(Model):
    name = CharField(max_length=20)
    email = CharField(max_length=40, unique=True)
    age = IntegerField(null=True)
    password = CharField()
    data = JSONField(null=True)

    class Meta:
        table_name = "users"


class UserSchema(ModelSchema):
    email = fields.Email(required=True, data_key="eMail")
    pin = fields.String(load_only=True, attribute="password")

    class Meta:
        model = UserModel
        fields = ("id", "name", "email", "age", "pin")


class UserFilters(FilterSet):
    model = UserModel
    schema = UserSchema
    filters = {  # noqa: RUF012
        "name": ("eq", "icontains", "startswith"),
        "email": ("eq", "in"),
        "age": ("gte", "range"),
        "data": "contains",
    }
    sort = ("-age", "email")
    search = ("name", "email")


def declare(service):
    users = Blueprint("users", url_prefix="/users")

    @users.get("/")
    @doc.query({"page_size": int | None, "name__soundslike": str | None})
    @doc.filter(UserFilters)
    async def listing(request, filters, query):
        sql, args = filters.where()
        return {"sql": sql, "args": list(args), "order": filters.order(), "query": query}

    @users.get("/named")
    @doc.filter(UserFilters.reader(fields=("id", "email"), expand=("city.province",)), name="wish")
    async def named(request, wish):
        chosen = None if wish.fields is None else sorted(wish.fields)
        return {"fields": chosen, "expand": sorted(wish.expand), "values": dict(wish.values)}

    service.blueprint(users)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def get():
    service = new_service()
    declare(service)
    async with serve_service(service) as (host, port), aiohttp.ClientSession() as session:

        async def get(path):
            async with session.get(f"http://{host}:{port}/users/{path}") as response:
                return response.status, await response.json()

        yield get


async def test_a_query_becomes_sql_with_arguments(get):
    status, answer = await get("?name__icontains=50%25&age__range=3,5&eMail__in=a@b.cc,d@e.ff&q=x")

    assert status == 200
    assert answer["data"]["sql"] == (
        '"name" ILIKE $1 AND "age" BETWEEN $2 AND $3 AND "email" = ANY($4)'
        ' AND ("name" ILIKE $5 OR "email" ILIKE $5)'
    )
    assert answer["data"]["args"] == [r"%50\%%", 3, 5, ["a@b.cc", "d@e.ff"], "%x%"]
    assert answer["data"]["order"] == '"age" DESC, "id" DESC'


async def test_nothing_asked_is_everything_in_the_usual_order(get):
    _, answer = await get("?page_size=3")

    assert answer["data"] == {
        "sql": "TRUE",
        "args": [],
        "order": '"age" DESC, "id" DESC',
        "query": {"page_size": 3},
    }


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        (
            "name__iconains=x",
            {
                "name__iconains": [
                    "Unknown filter; there are name, name__icontains, "
                    "name__startswith. Did you mean 'name__icontains'?"
                ]
            },
        ),
        (
            "age=3",
            {"age": ["Unknown filter; there are age__gte, age__range. Did you mean 'age__gte'?"]},
        ),
        ("age__gte=x", {"age__gte": ["Not a valid integer."]}),
        ("age__gte=", {"age__gte": ["Not a valid integer."]}),
        (
            "age__gte=99999999999",
            {
                "age__gte": [
                    "Must be greater than or equal to -2147483648 and "
                    "less than or equal to 2147483647."
                ]
            },
        ),
        ("age__range=1", {"age__range": ["Length must be 2."]}),
        ("age__range=1,2,3", {"age__range": ["Longer than maximum length 2."]}),
        ("age__range=1,x", {"age__range": {"1": ["Not a valid integer."]}}),
        ("name=a&name=b", {"name": ["Given 2 times, but takes one value."]}),
        ("name=a%00b", {"name": ["Null characters are not allowed."]}),
        ("name=%ED%A0%80", None),
        ("eMail=nobody", {"eMail": ["Not a valid email address."]}),
        ("sort=name", {"sort": {"0": ["Must be one of: age, -age, eMail, -eMail."]}}),
        (
            "sort=eMial",
            {"sort": {"0": ["Must be one of: age, -age, eMail, -eMail. Did you mean 'eMail'?"]}},
        ),
        ("sort=", {"sort": {"0": ["Must be one of: age, -age, eMail, -eMail."]}}),
        (f"q={'x' * 201}", {"q": ["Longer than maximum length 200."]}),
        (f"name__icontains={'x' * 201}", {"name__icontains": ["Longer than maximum length 200."]}),
        (f"eMail__in={'a@b.cc,' * 100}a@b.cc", {"eMail__in": ["Longer than maximum length 100."]}),
        ("data__contains={", {"data__contains": ["Not a valid JSON value."]}),
        ("data__contains=null", {"data__contains": ["Field may not be null."]}),
        ("data__contains=%22\\u0000%22", {"data__contains": ["Null characters are not allowed."]}),
        ("data__contains=" + "[" * 99, {"data__contains": ["Not a valid JSON value."]}),
        (
            "age__gte=x&page_size=y",
            {"age__gte": ["Not a valid integer."], "page_size": ["Not a valid integer."]},
        ),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
async def test_what_is_wrong_is_told_with_what_is_allowed(get, query, errors):
    status, answer = await get(f"?{query}")

    if errors is None:
        assert status == 400
    else:
        assert (status, answer["error"]) == (422, {"query": errors})


async def test_a_name_that_another_input_reads_is_its_own(get):
    status, answer = await get("?name__soundslike=x&unheard=of")

    assert (status, answer["data"]["query"]) == (200, {"name__soundslike": "x"})


async def test_fields_and_related_objects_are_chosen_by_name(get):
    _, answer = await get("named?fields=eMail&expand=city.province&name=x")

    assert answer["data"] == {
        "fields": ["email"],
        "expand": ["city", "city.province"],
        "values": {"name": "x"},
    }


class ShownSchema(UserSchema):
    """Fields that read no value of the column whose name they have."""

    age = fields.Function(lambda row: row["age"], data_key="years")
    name = fields.Method("show_name")

    def show_name(self, row):
        return row["name"].upper()


async def test_a_field_that_reads_nothing_leaves_that_to_the_column():
    filters = {"age": ("eq", "in"), "name": ("eq",)}
    load = FilterReader(UserModel, filters=filters, schema=ShownSchema).compile()
    errors = {}

    assert load(parameters("years=7&years__in=7,8&name=Ada"), errors).values == {
        "age": 7,
        "age__in": [7, 8],
        "name": "Ada",
    }
    assert load(parameters("years=x"), errors) is None
    assert errors == {"query": {"years": ["Not a valid integer."]}}


async def test_an_empty_query_costs_no_object():
    load = ThingFilters.reader().compile()

    assert load(parameters(""), {}) is load(parameters("page=2"), {})
