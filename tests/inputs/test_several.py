"""Several inputs of one source: each argument gets its own keys, on both paths."""

import pytest
from marshmallow import ValidationError, validates_schema

from msframework import Schema, doc
from msframework.schemas import fields
from tests.inputs.test_form import END, MULTIPART, URLENCODED, field, file

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Texts(Schema):
    """Refuses what nobody declares, in a form."""

    note = fields.String(required=True)


class Numbers(Schema):
    """Reads other keys of the same source."""

    size = fields.Integer()
    tags = fields.List(fields.String())


class Refusing(Schema):
    """Refuses all that it reads."""

    @classmethod
    def of(cls, name):
        """Return the class that reads *name*."""
        return cls.from_dict({name: fields.String()}, name=f"Refusing{name}")

    @validates_schema
    def refuse(self, data, **kwargs):
        raise ValidationError(f"no {next(iter(data))}")


def declare(service):
    """Add endpoints that answer what each of their arguments received."""

    @service.get("/filter")
    @doc.query(Texts)
    @doc.query(Numbers, name="other")
    @doc.paginate(total=False)
    async def filter_things(request, other, query, page):
        return page.result([{"query": query, "other": other, "page": page.page}], total=1)

    @service.get("/headers")
    @doc.headers({"x_token": str})
    @doc.headers(Numbers, name="more")
    async def takes_headers(request, headers, more):
        return {"headers": headers, "more": more}

    @service.get("/cookies")
    @doc.cookies(Texts)
    @doc.cookies(Numbers, name="more")
    async def takes_cookies(request, cookies, more):
        return {"cookies": cookies, "more": more}

    @service.post("/form")
    @doc.form(Texts)
    @doc.form(Numbers, name="more")
    async def takes_forms(request, form, more):
        return {"form": form, "more": more, "data": request.data}

    @service.post("/open-form")
    @doc.form(Texts)
    @doc.form(Numbers(unknown="include"), name="more")
    async def takes_any_form(request, form, more):
        return {"form": form, "more": more}

    @service.get("/whole")
    @doc.query(Refusing.of("a"))
    @doc.query(Refusing.of("b"), name="more")
    async def takes_nothing(request, query, more): ...

    @service.post("/files")
    @doc.form(Texts)
    @doc.files({"file": fields.Raw(required=True)})
    @doc.files({"other": fields.Raw()}, name="more")
    async def takes_files(request, form, files, more):
        return {"form": form, "file": files["file"].name, "more": [*more]}


ALL_OF_FILTER = "note=a&size=3&tags=x&tags=y&page=2&else=1"


async def test_each_argument_gets_its_own_keys_of_the_query(wire):
    answer = await wire("GET", f"/filter?{ALL_OF_FILTER}")

    assert answer.status == 200
    assert answer.json["data"] == [
        {"query": {"note": "a"}, "other": {"size": 3, "tags": ["x", "y"]}, "page": 2}
    ]


async def test_what_is_wrong_with_any_of_them_comes_in_one_answer(wire):
    answer = await wire("GET", "/filter?size=many&page=0&tags=%00")

    assert answer.status == 422
    assert answer.json["error"] == {
        "query": {
            "note": ["Missing data for required field."],
            "size": ["Not a valid integer."],
            "tags": ["Null characters are not allowed."],
            "page": ["Must be greater than or equal to 1 and less than or equal to 10000."],
        }
    }


async def test_headers_and_cookies_have_several_readers(wire):
    answer = await wire("GET", "/headers", "X-Token: t", "Size: 7", "Tags: a, b")
    assert answer.json["data"] == {
        "headers": {"x_token": "t"},
        "more": {"size": 7, "tags": ["a", "b"]},
    }

    answer = await wire("GET", "/cookies", "Cookie: note=a; size=1; else=2")
    assert answer.json["data"] == {"cookies": {"note": "a"}, "more": {"size": 1}}

    answer = await wire("GET", "/headers", "Size: many")
    assert set(answer.json["error"]["headers"]) == {"x_token", "size"}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (URLENCODED, b"note=a&tags=x&size=2"),
        (
            MULTIPART,
            field(b"note", b"a") + field(b"tags", b"x") + field(b"size", b"2") + END,
        ),
    ],
)
async def test_a_form_is_read_into_several_arguments(wire, kind, body):
    answer = await wire("POST", "/form", kind, body=body)

    assert answer.status == 200
    more = {"size": 2, "tags": ["x"]}
    assert answer.json["data"] == {
        "form": {"note": "a"},
        "more": more,
        "data": {"note": "a", **more},
    }


async def test_a_key_that_no_input_of_a_form_declares_is_refused_once(wire):
    answer = await wire("POST", "/form", URLENCODED, body=b"size=x&else=1")

    assert answer.status == 422
    assert answer.json["error"] == {
        "form": {
            "note": ["Missing data for required field."],
            "size": ["Not a valid integer."],
            "else": ["Unknown field."],
        }
    }


async def test_a_key_that_one_input_takes_is_not_refused_by_another(wire):
    answer = await wire("POST", "/open-form", URLENCODED, body=b"note=a&else=1&size=2")

    assert answer.status == 200
    assert answer.json["data"] == {"form": {"note": "a"}, "more": {"size": 2, "else": "1"}}


async def test_files_are_read_into_several_arguments(wire):
    parts = file(b"file", b"a.txt", b"A"), file(b"other", b"b.txt", b"B"), field(b"note", b"n")

    answer = await wire("POST", "/files", MULTIPART, body=b"".join(parts) + END)

    assert answer.status == 200
    assert answer.json["data"] == {"form": {"note": "n"}, "file": "a.txt", "more": ["other"]}


async def test_schemas_that_refuse_the_whole_say_both_what_is_wrong(wire):
    answer = await wire("GET", "/whole?a=1&b=2")

    assert answer.json["error"] == {"query": {"_schema": ["no b", "no a"]}}
