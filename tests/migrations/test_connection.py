import sys

import psycopg
import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.connection import (
    _LOCK,
    LazyDatabase,
    connect,
    migration_lock,
    opened,
    say,
)


def test_db_is_the_settings_database_when_first_used(project, url, monkeypatch):
    project.write("heath/configs.py", f"DATABASE_URL = {url!r}\n")
    monkeypatch.setenv("SANIC_CONFIG_MODULE", "heath.configs")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    lazy = LazyDatabase()
    try:
        with lazy:
            lazy.execute_sql("CREATE TABLE kept (id int)")
        assert lazy.table_exists("kept")
        assert lazy.resolve() is lazy.resolve()
    finally:
        lazy.close()
    lazy.close()


def test_db_without_any_database_says_what_to_set(project, monkeypatch):
    project.write("heath/configs.py", "")
    monkeypatch.setenv("SANIC_CONFIG_MODULE", "heath.configs")
    monkeypatch.delenv("DATABASE_URL", raising=False)

    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        LazyDatabase().resolve()


def test_the_connection_is_closed_at_the_end(url):
    with opened(url) as database:
        assert not database.is_closed()

    assert database.is_closed()


def test_ddl_takes_parameters(url):
    with opened(url) as database:
        database.execute_sql("CREATE TABLE t (a int DEFAULT %s)", (5,))
        database.execute_sql("INSERT INTO t DEFAULT VALUES")
        assert database.execute_sql("SELECT a FROM t").fetchone() == (5,)


def test_without_psycopg_the_message_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(ImproperlyConfigured, match="pip install"):
        connect("postgresql://localhost/x")


@pytest.mark.parametrize("inside", [False, True])
def test_the_lock_is_given_up_in_time(url, inside):
    said = []
    with psycopg.connect(url, autocommit=True) as other, opened(url) as database:
        other.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        if inside:
            database.begin()
        with (
            pytest.raises(ImproperlyConfigured, match="Another run of migrations has held"),
            migration_lock(database, said.append, timeout=0.1),
        ):
            pytest.fail("must not get here")
    assert said == ["Another run of migrations holds the lock; waiting for it."]


def test_the_lock_in_a_transaction_ends_with_it(url):
    with psycopg.connect(url, autocommit=True) as other, opened(url) as database:
        take = "SELECT pg_try_advisory_lock(%s)"
        with database.atomic():
            with migration_lock(database, say):
                pass
            assert other.execute(take, (_LOCK,)).fetchone() == (False,)
        assert other.execute(take, (_LOCK,)).fetchone() == (True,)


def test_what_a_script_is_told_goes_to_standard_error(capsys):
    say("waiting")

    assert capsys.readouterr() == ("", "waiting\n")
