"""What alembic's autogenerate finds between pairs of models; run by benchmarks.migrations_compared.

Runs in an environment of its own: reads pairs of texts as JSON, prints a list for each.
"""

import json
import sys
from uuid import uuid4

import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql

OPTIONS = {"compare_type": True, "compare_server_default": True, "include_schemas": True}


def metadata(text):
    """Return the tables that *text* declares."""
    base = orm.declarative_base()
    names = {**vars(sqlalchemy), "mapped_column": orm.mapped_column, "Base": base}
    names |= {name: getattr(postgresql, name) for name in ("JSONB", "ARRAY", "ExcludeConstraint")}
    names |= {"uuid4": uuid4, "__name__": "shop"}
    exec(text, names)
    return base.metadata


def see(engine, before, after):
    """Return the names of the differences."""
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DROP SCHEMA IF EXISTS public, other CASCADE"))
        connection.execute(sqlalchemy.text("CREATE SCHEMA public"))
        metadata(before).create_all(connection)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=OPTIONS)
        found = compare_metadata(context, metadata(after))
    return [each[0][0] if isinstance(each, list) else each[0] for each in found]


def main():
    """Answer for each pair."""
    url = sys.argv[1].replace("postgresql://", "postgresql+psycopg://")
    engine = sqlalchemy.create_engine(url)
    answers = []
    for pair in json.load(sys.stdin):
        try:
            answers.append(pair and see(engine, *pair))
        except Exception as exc:
            answers.append(f"fails: {type(exc).__name__}: {str(exc).splitlines()[0][:60]}")
    json.dump(answers, sys.stdout)


main()
