"""The origin's `DB_CONFIG` and `APP_ID` in a settings module of today."""

import pytest


def test_app_id_is_the_name_of_the_service(load):
    assert load("DEBUG = True\nAPP_ID = 'user-service'").service_name == "user-service"


def test_app_id_beside_service_name_is_refused(problems):
    (problem,) = problems("DEBUG = True\nAPP_ID = 'a'\nSERVICE_NAME = 'b'")

    assert "SERVICE_NAME is set and from APP_ID too" in problem


def test_the_environment_wins_whichever_name_it_uses(load):
    settings = load("DEBUG = True\nSERVICE_NAME = 'a'", APP_ID="b")

    assert settings.service_name == "b"


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({"host": "db"}, "postgresql://db/"),
        ({"database": "site"}, "postgresql://localhost/site"),
        (
            {"host": "db", "user": "a b", "password": "p@:/?", "port": "5433", "database": "s/t"},
            "postgresql://a%20b:p%40%3A%2F%3F@db:5433/s%2Ft",
        ),
        ({"host": "db", "user": "u", "password": None}, "postgresql://u@db/"),
        ({"host": "::1", "port": 1}, "postgresql://[::1]:1/"),
        ({"host": "/run/pg", "user": "u"}, "postgresql://u@/?host=%2Frun%2Fpg"),
        ({"host": "db", "ssl": True}, "postgresql://db/?sslmode=require"),
        ({"host": "db", "ssl": "verify-full"}, "postgresql://db/?sslmode=verify-full"),
        ({"dsn": "postgres://db/site"}, "postgres://db/site"),
    ],
)
def test_db_config_becomes_the_url(load, config, url):
    assert load(f"DEBUG = True\nDB_CONFIG = {config!r}").database.url == url


def test_db_config_holds_the_limits_of_the_pool_too(load):
    database = load(
        "DB_CONFIG = {'host': 'db', 'min_size': 2, 'max_size': 4, 'timeout': 3, "
        "'command_timeout': 5, 'statement_cache_size': 0, 'max_inactive_connection_lifetime': 9}"
    ).database

    assert (database.min_size, database.max_size) == (2, 4)
    assert (database.connect_timeout, database.command_timeout) == (3.0, 5.0)
    assert (database.statement_cache_size, database.idle_timeout) == (0, 9.0)


def test_an_empty_db_config_names_no_database(load):
    assert load("DEBUG = True\nDB_CONFIG = {}").database.url is None


def test_db_config_of_the_environment_is_json_and_wins(load):
    settings = load("DATABASE_URL = 'postgresql://a/b'", DB_CONFIG='{"host": "c"}')

    assert settings.database.url == "postgresql://c/"


def test_db_config_beside_database_url_is_refused(problems):
    (problem,) = problems("DATABASE_URL = 'postgresql://a/b'\nDB_CONFIG = {'host': 'c'}")

    assert "from DB_CONFIG too" in problem


def test_an_unknown_key_is_named(problems):
    (problem,) = problems("DB_CONFIG = {'host': 'c', 'pasword': 's3cret'}")

    assert "DB_CONFIG['pasword'] is unknown" in problem
    assert "Did you mean password?" in problem
    assert "s3cret" not in problem


def test_a_db_config_that_is_no_dict_is_refused_without_showing_it(problems):
    (problem,) = problems("DB_CONFIG = ['s3cret']")

    assert "DB_CONFIG is a value that is not shown; expected a dict" in problem
    assert "s3cret" not in problem


def test_a_db_config_of_the_environment_that_is_no_json_is_refused(problems):
    (problem,) = problems(DB_CONFIG="{'password': 's3cret'}")

    assert problem.startswith("environment: DB_CONFIG is a value that is not shown")


def test_a_host_of_none_means_the_default(load):
    assert load("DEBUG = True\nHOST = None").server.host == "127.0.0.1"
