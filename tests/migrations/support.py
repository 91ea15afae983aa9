"""A PostgreSQL for the tests of migrations, a database for each, and apps that they write."""

import importlib
import itertools
import os
import shutil
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from msframework.db.embedded import EmbeddedServer
from msframework.db.home import find_home
from tests.processes import throw_away

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory):
    """The address of an embedded server that the run has for itself."""
    root = tmp_path_factory.mktemp("checkout")
    server = EmbeddedServer(root)
    yield server.start()
    home = find_home(root)
    throw_away(server)
    shutil.rmtree(home.path)


@contextmanager
def own_database(server_url, name):
    """Give the address of an empty database, which is dropped afterwards."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
    try:
        yield server_url.replace("@/postgres?", f"@/{name}?")
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def url(server_url):
    """The address of an empty database."""
    with own_database(server_url, f"migrations_{next(_numbers)}") as url:
        yield url


@pytest.fixture
def query(url):
    """Runs one statement on the database; rows as tuples."""

    def run(sql, *parameters):
        with psycopg.connect(url) as connection:
            cursor = connection.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def columns(query):
    """The columns of a table of the database."""

    def run(table):
        rows = query(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s "
            "ORDER BY ordinal_position",
            table,
        )
        return [name for (name,) in rows]

    return run


@pytest.fixture
def recorded(query):
    """The names in `migrate_record`, as app.name, in the order in which they were applied."""

    def run():
        return [
            f"{app}.{name}"
            for app, name in query("SELECT app, name FROM migrate_record ORDER BY time, app, name")
        ]

    return run


class Project:
    """A directory of apps that can be imported."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str) -> Path:
        """Write one file, and forget what was imported from there."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        for package in [path.parent, *path.parent.parents]:
            if package == self.root:
                break
            (package / "__init__.py").touch()
        self.forget()
        return path

    def forget(self) -> None:
        """Forget every module of the project."""
        tops = {path.stem for path in self.root.iterdir()}
        for module in list(sys.modules):
            if module.partition(".")[0] in tops:
                del sys.modules[module]
        importlib.invalidate_caches()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project, first on the path."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = Project(root)
    yield made
    made.forget()


@pytest.fixture
def clean_environment():
    """An environment for other processes: without settings of this one, with our packages."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    ours = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    return kept | {"PYTHONPATH": f"{inherited}:{ours}" if inherited else ours}
