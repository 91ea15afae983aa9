"""The page docs/concepts/data.md says what is so."""

import re
from pathlib import Path

import pytest

from msframework.models import CharField, Model

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "concepts" / "data.md").read_text("utf-8")


class User(Model):
    name = CharField()

    class Meta:
        table_name = "users"


@pytest.fixture
def page():
    """The functions that the page shows."""
    names = {"User": User}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    return names


@pytest.fixture
async def users(admin):
    await admin.execute(
        "DROP TABLE IF EXISTS users, accounts; CREATE TABLE users (id int, name text);"
        "INSERT INTO users VALUES (1, 'Ada'), (2, 'Kurt');"
        "CREATE TABLE accounts (id int, balance int);"
        "INSERT INTO accounts VALUES (1, 100), (2, 0)"
    )
    yield
    await admin.execute("DROP TABLE users, accounts")


async def test_the_examples_run(db, page, users, admin):
    assert await page["read_user"](db, None, 1) == {"id": 1, "name": "Ada"}
    assert await page["rename_user"](db, None, 1, "Grace") == "UPDATE 1"
    told = []
    await page["rename_and_tell"](db, None, 1, " Grace ", told.append)
    assert (await page["read_user"](db, None, 1), told) == ({"id": 1, "name": "Grace"}, [1])
    await page["transfer"](db, 1, 2, 30)
    assert await admin.fetchval("SELECT balance FROM accounts WHERE id = 2") == 30
    written = []

    async def write(name):
        written.append(name)

    await page["export_names"](db, write)
    assert sorted(written) == ["Grace", "Kurt"]


@pytest.mark.parametrize(
    ("options", "left"),
    [({}, "me"), ({"reset": "always"}, None), ({"pool": "asyncpg"}, None)],
)
async def test_a_trigger_can_do_what_the_page_warns_of(open_database, admin, options, left):
    trigger = re.search(r"```sql\n(.*?)```", PAGE, re.DOTALL)[1]
    await admin.execute(
        "DROP TABLE IF EXISTS edits; DROP FUNCTION IF EXISTS remember;"
        f"CREATE TABLE edits (editor text); {trigger}"
    )
    async with open_database(max_size=1, **{"pool": "light"} | options) as db:
        async with db.acquire() as cur:
            await cur.execute("INSERT INTO edits (editor) VALUES ($1)", "me")
        async with db.acquire() as cur:
            found = await cur.fetchval("SELECT current_setting('shop.last_editor', true)")
    await admin.execute("DROP TABLE edits; DROP FUNCTION remember")

    assert (found or None) == left


def test_every_method_of_the_table_exists():
    from msframework.db import Cursor

    table = PAGE[PAGE.index("| method |") : PAGE.index("## Transactions")]
    names = {
        name
        for line in table.splitlines()[2:]
        for name in re.findall(r"`(\w+)`", line.split("|")[1] if "|" in line else "")
    }
    assert names
    assert all(hasattr(Cursor, name) for name in names)
