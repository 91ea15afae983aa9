"""What is changed in the code blocks of the origin document before they run, and why.

Two kinds: a `Patch` mends something in a block, a `Frame` is what a block needs around it, as the
document prints excerpts.
"""

from dataclasses import dataclass

from tests.origin.document import block

SERVER = "Server, code 1"
MODELS = "Model & Migration, code 1"
DB = "DB, code 1"
CLIENT = "Client, code 1"
LOGGER = "LOG & Distributed Tracing System, code 1"
API = "API, code 1"
TEST_CASE = "Unittest, code 1"
COVERAGE = "Unittest, code 2"
EXCEPTION = "Exception, code 1"


@dataclass(frozen=True, slots=True)
class Patch:
    """Replaces *old*, which stands once in the block, by *new*."""

    block: str
    old: str
    new: str
    reason: str


# The names that a service imports, there and here; settings and attributes keep theirs.
NAMES = {
    "sanicms.server.app": "msframework.create_app",
    "sanicms.doc": "msframework.doc",
    "sanicms.migrations": "msframework.migrations",
    "sanicms.client.Client": "msframework.client.Client",
    "sanicms.loggers.logger": "msframework.log.logger",
    "sanicms.loggers.JsonFormatter": "msframework.log.JsonFormatter",
    "sanicms.exception.ServerError": "msframework.exceptions.ServerError",
    "sanicms.tests.APITestCase": "msframework.testing.APITestCase",
    "sanicms.utils.async_request": "msframework.aio.async_request",
}
RENAMED = "The package is msframework: the table of names above."
PATCHES = (
    Patch(
        SERVER,
        "get_city_by_id(request, record['city_id'])]\n",
        "get_city_by_id(request, record['city_id'])],\n",
        "The comma between the two lists is missing: the second would be an index of the first.",
    ),
    Patch(
        SERVER,
        "cur.fetch(",
        "cur.fetchrow(",
        "The result is used as one row; `fetch` returns a list of rows.",
    ),
    Patch(
        MODELS,
        "PrimaryKeyField()",
        "AutoField()",
        "peewee's old name, which warns and will be removed.",
    ),
    Patch(
        MODELS,
        "db_table = ",
        "table_name = ",
        "peewee's old name, which warns and will be removed.",
    ),
    Patch(
        MODELS,
        "default=datetime.datetime.utcnow)",
        "constraints=[SQL(\"DEFAULT timezone('utc', now())\")])",
        "`create_user` leaves the column to the database, which knows nothing of a default in "
        "Python; `utcnow` is deprecated since Python 3.12 besides.",
    ),
    Patch(MODELS, "from sanicms.migrations", "from msframework.migrations", RENAMED),
    Patch(
        MODELS,
        "import MigrationModel, info, db",
        "import MigrationModel, info, db, migrate",
        "`migrate_v1`, commented out as it is, calls `migrate`, which is not imported.",
    ),
    Patch(
        CLIENT,
        "'http://host:port'",
        "app.settings.extra['upstream']",
        "`host:port` stands for an address.",
    ),
    Patch(
        CLIENT,
        "'/cities/{}'",
        "'/roles/{}'",
        "`get_role_by_id` asks for a role: the tests of the Unittest chapter mock `/roles/1`.",
    ),
    Patch(
        LOGGER,
        "    cli = request.app.client.cli(request)\n",
        "    cli = request.app.client.cli(request)\n"
        "    async with cli.get('/cities/{}'.format(id)) as res:\n"
        "        return await res.json()\n",
        "The function breaks off after its first line; the rest is as in the Client chapter.",
    ),
    Patch(API, "from sanicms import doc", "from msframework import doc", RENAMED),
    Patch(
        API,
        "users(name, age, city_id, role_id)",
        "users(name, age, sex, city_id, role_id)",
        "Five placeholders, four columns: `sex`, which may not be null, is left out.",
    ),
    Patch(
        API,
        "data['age'], data['city_id']",
        "data['age'], data['sex'], data['city_id']",
        "The argument that belongs to `sex`.",
    ),
    Patch(
        TEST_CASE,
        "from sanicms.tests import APITestCase",
        "from msframework.testing import APITestCase",
        RENAMED,
    ),
    Patch(
        TEST_CASE,
        "            'age': 2,\n",
        "            'age': 2,\n            'sex': 'male',\n",
        "The body leaves out `sex`, which may not be null.",
    ),
    Patch(
        COVERAGE,
        "-m sanicms tests",
        "-m pytest tests",
        "Tests are run by pytest, unittest's cases included.",
    ),
    Patch(
        EXCEPTION, "from sanicms.exception import", "from msframework.exceptions import", RENAMED
    ),
)
# What looks like a slip and is left alone, as it runs as it is printed.
LEFT = {
    "`before_srver_start` (Client)": "The name of a function; Sanic goes by the event, which is "
    "spelled right.",
    "`app.client.close()` is not awaited (Client)": "`close()` returns what may be awaited, and "
    "need not be.",
    "`_blueprint = 'visit'`, but `create_user` is in another blueprint (Unittest)": "The client "
    "looks in `_blueprint` first, then in the others.",
    "`get_users_list` returns one user (Server)": "The name of a function.",
    "`tansaction()`, `coverage2colver`, `CustomHander()` (prose)": "Nothing runs them.",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands before and after a block; *indent* spaces are put before each of its lines."""

    before: str = ""
    after: str = ""
    indent: int = 0


MODEL_IMPORTS = """\
from msframework.models import SQL, AutoField, CharField, DateTimeField, IntegerField, Model
from service.api import CityApi, RoleApi


"""
CLIENT_IMPORTS = """\
import logging

from msframework.client import Client
from msframework.log import logger
from service.app import app


"""
HANDLER_IMPORTS = """\
import asyncio

from msframework import Blueprint, doc
from service.clients import get_city_by_id, get_role_by_id
from service.models import Users

user_bp = Blueprint('user', url_prefix='/users')


"""
FRAMES = {
    MODELS: Frame(),
    CLIENT: Frame(before=CLIENT_IMPORTS),
    SERVER: Frame(before=HANDLER_IMPORTS),
    DB: Frame(
        before="async def find(request):\n",
        after="    return data\n",
        indent=4,
    ),
    EXCEPTION: Frame(before="from msframework import Blueprint\n\nvisit_bp = Blueprint('visit')\n"),
    TEST_CASE: Frame(before="import ujson\n"),
}


def patched(name: str) -> str:
    """Return the code block *name*, patched.

    Raises:
        ValueError: what a patch replaces does not stand there exactly once.
    """
    text = block(name)
    for patch in PATCHES:
        if patch.block == name:
            if text.count(patch.old) != 1:
                raise ValueError(f"{name}: {patch.old!r} is there {text.count(patch.old)} times")
            text = text.replace(patch.old, patch.new)
    return text


def framed(name: str) -> str:
    """Return the code block *name*, patched and with its frame."""
    frame = FRAMES.get(name, Frame())
    lines = patched(name).splitlines(keepends=True)
    body = "".join(f"{' ' * frame.indent}{line}" if line.strip() else line for line in lines)
    return frame.before + body + frame.after
