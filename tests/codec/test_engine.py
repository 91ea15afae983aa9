"""The four engines of a dump write the same bytes, and the one of rows can be dropped alone."""

import ast
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

import msframework.codec
from msframework.codec import Engine, compile_schema, compiler, rows
from msframework.schemas import Schema, fields
from msframework.strict_json import dumps
from msframework.table import Table
from tests.codec.strategies import objects_for, row_schemas, rows_for
from tests.codec.test_equality import make, many_examples, one_or_many, outcome
from tests.codec.test_rows import ODD, RENAMED, ROW, TABLES, USUAL, RenamedSchema, RowSchema
from tests.examples import EXAMPLES
from tests.processes import fresh_database

CODEC = Path(msframework.codec.__file__).parent
ROW_MODULES = {"rows", "row_json", "row_source"}
each_engine = pytest.mark.parametrize("engine", Engine)


class NestingSchema(Schema):
    row = fields.Nested(RowSchema)


class DottedSchema(Schema):
    name = fields.String(attribute="row.name")


class OrderedSchema(RowSchema):
    dict_class = OrderedDict


class OwnSchema(RowSchema):
    def dump(self, obj, **kwargs):
        return super().dump(obj, **kwargs)


@pytest.mark.parametrize(
    ("schema_class", "engine"),
    [
        (RowSchema, Engine.ROWS),
        (NestingSchema, Engine.MEMBERS),
        (DottedSchema, Engine.ANY_OBJECT),
        (OrderedSchema, Engine.ANY_OBJECT),
        (OwnSchema, Engine.MARSHMALLOW),
    ],
)
def test_a_schema_has_the_fastest_engine_that_it_allows(schema_class, engine):
    assert compile_schema(schema_class()).engine is engine


@each_engine
def test_no_faster_engine_runs_than_was_asked_for(engine):
    compiled = compile_schema(RowSchema(), engine=engine)
    kinds = {name.partition("_RowSchema")[0] for name in compiled.sources}

    assert compiled.engine is engine
    assert ("write_one" in kinds) is (engine is Engine.ROWS)
    assert ("dump" in kinds) is (engine in (Engine.ROWS, Engine.MEMBERS))
    assert bool(compiled.fallbacks) is (engine is Engine.MARSHMALLOW)


@each_engine
@pytest.mark.parametrize("change", [*USUAL, *ODD], ids=str)
def test_each_engine_writes_the_same_bytes(engine, change):
    row = ROW | change
    compiled = compile_schema(RowSchema(), engine=engine)

    for obj in (row, OrderedDict(row), SimpleNamespace(**row), {"id": 1}):
        assert compiled.dump_json(obj) == dumps(RowSchema().dump(obj))
        assert compiled.dump(obj) == RowSchema().dump(obj)
    for several in ([ROW, row], (row,), []):
        expected = dumps(RowSchema().dump(several, many=True))
        assert compiled.dump_json(several, True) == expected


@each_engine
@pytest.mark.parametrize("many", [False, True])
def test_each_engine_knows_keys_defaults_and_what_is_absent(engine, many):
    schema = RenamedSchema(many=many)
    compiled = compile_schema(schema, engine=engine)

    for row in (RENAMED, {"id": 1}, RENAMED | {"name": None}):
        value = [RENAMED, row] if many else row
        assert compiled.dump_json(value) == dumps(schema.dump(value))


@each_engine
async def test_each_engine_writes_records(engine):
    compiled = compile_schema(RowSchema(), engine=engine)
    with fresh_database("engines") as url:
        conn = await asyncpg.connect(url)
        for sql in TABLES:
            found = await conn.fetch(sql)
            expected = dumps(RowSchema().dump(found, many=True))
            assert compiled.dump_table(Table(found)) == expected, sql
            assert compiled.dump_json(found, True) == expected, sql
        await conn.close()


@given(data=st.data())
@settings(many_examples, max_examples=EXAMPLES // 4 + 1)
def test_the_engines_agree_on_any_schema(data):
    schema = make(data)
    value = one_or_many(data, schema, objects_for(schema))
    expected = outcome(lambda: dumps(schema.dump(value)))

    for engine in Engine:
        compiled = compile_schema(schema, engine=engine)
        assert outcome(lambda: compiled.dump_json(value)) == expected, engine  # noqa: B023


@given(data=st.data())
@settings(many_examples, max_examples=EXAMPLES // 4 + 1)
def test_the_engines_agree_on_rows(data):
    schema = data.draw(row_schemas)(many=True)
    note(f"{schema.fields}")
    value = data.draw(st.lists(rows_for(schema), max_size=4))
    expected = outcome(lambda: dumps(schema.dump(value)))

    for engine in Engine:
        compiled = compile_schema(schema, engine=engine)
        assert outcome(lambda: compiled.dump_json(value)) == expected, engine  # noqa: B023


def test_an_untested_msgspec_writes_no_rows(monkeypatch):
    monkeypatch.setattr(rows, "supports", lambda library, way: library != "msgspec")
    compiled = compile_schema(RowSchema())

    assert compiled.engine is Engine.MEMBERS
    assert compiled.dump_json([ROW, ROW], True) == dumps(RowSchema().dump([ROW, ROW], many=True))


def test_an_untested_marshmallow_loads_and_dumps_itself(monkeypatch):
    monkeypatch.setattr(compiler, "supports", lambda library, way: library != "marshmallow")
    compiled = compile_schema(RowSchema())

    assert compiled.engine is Engine.MARSHMALLOW
    assert compiled.fallbacks == ("RowSchema: it cannot be compiled",)
    assert compiled.dump_json(ROW) == dumps(RowSchema().dump(ROW))
    assert compiled.load_json(b'{"id":"1"}') == compiled.read_json(b'{"id":"1"}') == {"id": 1}
    assert compiled.read_json(b'{"id":"x"}').messages == {"id": ["Not a valid integer."]}


def imports_of(path):
    """Return what the module at *path* imports, as far as it is msgspec's or of the codec."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).removeprefix("msframework.codec.")


def test_only_the_modules_of_rows_know_msgspec_and_only_the_compiler_knows_them():
    imported = {path.stem: set(imports_of(path)) for path in CODEC.glob("*.py")}

    knowing = {name for name, found in imported.items() if "msgspec" in found}
    using = {name for name, found in imported.items() if found & ROW_MODULES}

    assert knowing <= ROW_MODULES
    assert using - ROW_MODULES == {"compiler"}
