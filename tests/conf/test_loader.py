"""`load_settings`: a module and the environment become one frozen value, or one message."""

import dataclasses
import logging
import re
import secrets
import sys
from pathlib import Path
from types import ModuleType

import pytest

from msframework.app import create_app
from msframework.conf.loader import load_settings
from msframework.conf.settings import ServiceEntry, Settings
from msframework.exceptions import ImproperlyConfigured

DSN = "postgresql://ann:s3cret@db/site"


def test_a_class_in_the_place_of_a_value_is_a_mistake(load):
    with pytest.raises(ImproperlyConfigured, match="ENVELOPE"):
        load("from msframework import Bare\nENVELOPE = Bare")


def test_names_in_capitals_become_frozen_typed_values(load):
    settings = load(
        """
from pathlib import Path
DEBUG = True
PORT = 9000
DB_MAX_SIZE = 3
REQUEST_TIMEOUT = 5
INSTALLED_APPS = ["apps.users"]
EXTRA = {"limit": 3}
LOGGING_CONFIG = Path(__file__)
helper = 1
_PRIVATE = 2
Mixed = 3
"""
    )

    assert settings.debug is True
    assert settings.server.port == 9000
    assert settings.database.max_size == 3
    assert settings.server.request_timeout == 5.0
    assert isinstance(settings.server.request_timeout, float)
    assert settings.installed_apps == ("apps.users",)
    assert settings.extra["limit"] == 3
    assert settings.log.config.endswith(".py")
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.debug = False
    with pytest.raises(TypeError):
        settings.extra["limit"] = 4


def test_what_is_not_set_keeps_its_default(load):
    settings = load("DEBUG = True")

    assert dataclasses.replace(settings, module="", debug=False) == Settings()


def test_imported_modules_and_classes_in_capitals_are_no_settings(load):
    source = """
import json as JSON
from typing import TYPE_CHECKING
from enum import Enum as ENUM
DEBUG = True
"""

    assert load(source).debug is True


def test_the_variable_names_the_module(settings_module):
    name = settings_module("DEBUG = True\nPORT = 1234")

    settings = load_settings(environ={"SANIC_CONFIG_MODULE": name})

    assert (settings.module, settings.server.port) == (name, 1234)


def test_no_module_at_all_says_what_to_set():
    with pytest.raises(ImproperlyConfigured, match="SANIC_CONFIG_MODULE is not set"):
        load_settings(environ={})


@pytest.mark.parametrize("name", ["no_such_settings", "settings.no_such", "os.path.no_such"])
def test_a_missing_module_is_named(name):
    with pytest.raises(ImproperlyConfigured, match=f"{name!r} cannot be found"):
        load_settings(name, {})


def test_the_path_of_a_module_is_told_with_dots():
    with pytest.raises(ImproperlyConfigured, match=r"Write settings\.no_such\."):
        load_settings("./settings/no_such.py", {})


def test_a_module_that_fails_to_import_another_says_which(problems):
    (problem,) = problems("import no_such_library")

    assert "cannot be imported: ModuleNotFoundError: No module named 'no_such_library'" in problem


def test_a_missing_variable_in_the_module_is_named(problems):
    (problem,) = problems("import os\nDATABASE_URL = os.environ['NO_SUCH_VARIABLE']")

    assert "KeyError: 'NO_SUCH_VARIABLE' (" in problem
    assert problem.endswith(".py:2). Set the variable NO_SUCH_VARIABLE in the environment.")


def test_wrong_arguments_in_the_module_are_named(problems):
    (problem,) = problems("from msframework.access import JWTBearer\nJWTBearer('key', keyz=1)")

    assert "got an unexpected keyword argument 'keyz'" in problem
    assert problem.count("mean") == 1  # CPython asks itself from 3.13 on
    assert "It takes key, " in problem
    assert ".py:2)." in problem


def test_a_single_guard_needs_a_comma(problems):
    (problem,) = problems("from msframework import Authenticated\nGUARDS = (Authenticated())")

    assert "(type Authenticated); expected a tuple. Put a comma behind a single one" in problem


def test_the_text_of_other_exceptions_is_kept_back_as_it_may_hold_a_secret(problems):
    (problem,) = problems("PORT = int('s3cret')")

    assert "ValueError (" in problem
    assert "s3cret" not in problem


def test_what_the_module_makes_may_refuse_its_arguments(problems):
    (problem,) = problems(
        "from msframework.access import JWTBearer\n"
        "token = JWTBearer('s3cret', 'HS256', audience='a', issuer='b')"
    )

    assert "JWTKey: the secret has 6 bytes; expected 32 or more for HS256" in problem
    assert "secrets.token_urlsafe(32)" in problem
    assert "s3cret" not in problem


def test_every_mistake_is_in_one_message(problems):
    found = problems(
        "DEBGU = True\nPORT = 'eighty'\nWORKERS = 0\nDB_POOL = 'heavy'", DB_RESET="never"
    )

    text = "\n".join(found)
    assert len(found) == 5
    for part in ("Did you mean DEBUG?", "PORT is 'eighty'", "WORKERS is 0", "DB_POOL is 'heavy'"):
        assert part in text
    assert "environment: DB_RESET is 'never'; expected one of 'auto', 'always'" in text


def test_an_unknown_name_is_sent_to_extra(problems):
    (problem,) = problems("DEBUG = True\nPAYMENT_PROVIDER = 'x'")

    assert "PAYMENT_PROVIDER is unknown" in problem
    assert "EXTRA" in problem


def test_a_refused_setting_is_not_judged_again(problems):
    (problem,) = problems("DATABASE_URL = 5")

    assert "DATABASE_URL" in problem
    assert "expected a text" in problem


def test_a_broken_rule_names_the_source_of_its_setting(problems, settings_module):
    in_module = problems("DEBUG = True\nDB_MIN_SIZE = 20")
    in_environment = problems(DB_MIN_SIZE="20")

    assert in_module[0].startswith("written_settings_")
    assert in_environment[0].startswith("environment: DB_MIN_SIZE is 20")


def test_variables_override_the_module(load):
    settings = load("DEBUG = True\nPORT = 9000", PORT="9100", INSTALLED_APPS="a.b, c.d")

    assert settings.server.port == 9100
    assert settings.installed_apps == ("a.b", "c.d")


def test_an_empty_variable_means_none_where_that_is_allowed(load):
    settings = load("DEBUG = True\nENVELOPE = 'a.B'\nDOCS_URL = '/d'", ENVELOPE="", DOCS_URL="")

    assert settings.envelope is None
    assert settings.openapi.docs_url is None


def test_a_secret_is_read_from_a_file(load, tmp_path):
    path = tmp_path / "url"
    path.write_text(f"{DSN}\n")

    settings = load("DEBUG = False", DATABASE_URL_FILE=str(path))

    assert settings.database.url == DSN


def test_a_file_that_cannot_be_read_is_the_only_complaint(problems, tmp_path):
    (problem,) = problems("DEBUG = False", DATABASE_URL_FILE=str(tmp_path / "none"))

    assert "DATABASE_URL_FILE" in problem
    assert "No such file" in problem


def test_a_file_that_is_no_text_is_refused(problems, tmp_path):
    path = tmp_path / "url"
    path.write_bytes(b"\xff\xfe\x00")

    (problem,) = problems("DEBUG = False", DATABASE_URL_FILE=str(path))

    assert "not UTF-8" in problem


def test_a_variable_and_its_file_exclude_each_other(problems, tmp_path):
    (problem,) = problems(PORT="1", PORT_FILE=str(tmp_path / "port"))

    assert "PORT_FILE too" in problem


def test_secrets_are_in_no_repr_and_no_message(load, problems):
    settings = load(
        "DEBUG = True\nEXTRA = {'key': 's3cret'}\n"
        "SERVICES = {'a': {'url': 'http://a', 'headers': {'X-Key': 's3cret'}}}",
        DATABASE_URL=DSN,
        DB_REPLICAS=DSN,
        FORWARDED_SECRET="s3cret",
    )
    found = problems(
        "DB_REPLICAS = 's3cret'\nFORWARDED_SECRET = ['s3cret']\nEXTRA = 's3cret'\n"
        "SERVICES = {'a': {'url': 'http://a:s3cret@b', 'headers': 's3cret'}}",
        DATABASE_URL="ann:s3cret@db",
    )

    assert "s3cret" not in repr(settings)
    assert len(found) == 6
    assert "s3cret" not in "\n".join(found)


def test_services_are_read_from_both_forms(load):
    settings = load(
        "DEBUG = True\nSERVICES = {'regions': {'url': 'http://r:1/', 'total_timeout': 5}, "
        "'roles': 'https://roles'}"
    )

    assert settings.services["regions"] == ServiceEntry("regions", "http://r:1", total_timeout=5)
    assert settings.services["roles"] == ServiceEntry("roles", "https://roles")
    with pytest.raises(TypeError):
        settings.services["new"] = None


def test_services_are_read_from_json_in_the_environment(load):
    settings = load(SERVICES='{"roles": {"url": "http://roles", "limit": 5}}')

    assert settings.services["roles"].limit == 5


@pytest.mark.parametrize(
    "name", ["development", "test", "accounts", "users", "regions", "roles", "production"]
)
def test_the_settings_of_this_project_load(name, monkeypatch):
    monkeypatch.setenv("ACCESS_KEY", secrets.token_hex(32))
    environ = {"DATABASE_URL": DSN} if name == "production" else {}

    settings = load_settings(f"settings.{name}", environ)

    assert settings.debug is (name != "production")
    assert settings.installed_apps


def test_production_needs_a_database(monkeypatch):
    monkeypatch.setenv("ACCESS_KEY", secrets.token_hex(32))
    settings = load_settings("settings.production", {})

    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL is not set and DEBUG is off, but"):
        create_app(settings)


def test_loading_changes_nothing_of_logging(load):
    before = list(logging.getLogger().handlers)

    load()

    assert logging.getLogger().handlers == before


def test_a_module_in_a_package_may_begin_with_the_names_of_another(tmp_path, monkeypatch):
    package = tmp_path / "site_settings"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "base.py").write_text("PORT = 7000\nWORKERS = 2")
    (package / "desk.py").write_text("from site_settings.base import *\nDEBUG = True\nWORKERS = 1")
    monkeypatch.syspath_prepend(tmp_path)

    settings = load_settings("site_settings.desk", {})

    assert (settings.server.port, settings.server.workers) == (7000, 1)


def test_the_process_environment_is_read_when_no_other_is_given(settings_module, monkeypatch):
    monkeypatch.setenv("PORT", "8123")

    settings = load_settings(settings_module(f"DEBUG = True\nPORT = 1\n# {Path(__file__).name}"))

    assert settings.server.port == 8123


PAGE = (Path(__file__).parents[2] / "docs" / "concepts" / "settings.md").read_text()


@pytest.fixture
def orders(monkeypatch):
    """Let a source be the module `settings.orders`, as the documentation calls it."""

    def orders(source: str) -> None:
        module = ModuleType("settings.orders")
        exec(compile(source, "settings/orders.py", "exec"), vars(module))
        monkeypatch.setitem(sys.modules, "settings.orders", module)

    return orders


def test_the_module_in_the_documentation_loads(orders):
    orders(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1])

    settings = load_settings("settings.orders", {})

    assert settings.services["users"].total_timeout == 1.0
    assert settings.extra["invoice_days"] == 14


def test_the_message_in_the_documentation_is_the_one_that_is_shown(orders):
    orders("DEBGU = True")

    with pytest.raises(ImproperlyConfigured) as caught:
        load_settings("settings.orders", {"PORT": "80x"})

    assert f"Error: {caught.value}\n" in PAGE


def test_what_a_constructor_refuses_is_told_with_the_name_of_the_setting(problems):
    (problem,) = problems("""
from msframework.exceptions import ImproperlyConfigured

def build(key):
    raise ImproperlyConfigured("the key has 3 bytes; expected 32")

AUTHENTICATORS = {
    "token": build(b"abc"),
}
""")

    assert ".py:8 AUTHENTICATORS: the key has 3 bytes; expected 32" in problem
