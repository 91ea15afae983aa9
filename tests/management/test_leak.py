"""Secrets in settings modules: what is one, what only looks like it, and where they are found."""

from __future__ import annotations

import importlib
import textwrap
from itertools import count

import pytest

from msframework.management.leak import find_leaks

NUMBERS = count()


@pytest.fixture
def leaks(tmp_path, monkeypatch):
    """Return a function that writes modules, the last of which is looked at."""
    monkeypatch.syspath_prepend(tmp_path)

    def find(*texts: str, name: str = "") -> list[str]:
        for number, text in enumerate(texts):
            name = f"leaky_{next(NUMBERS)}"
            before = f"leaky_{int(name.rpartition('_')[2]) - 1}" if number else ""
            path = tmp_path / f"{name}.py"
            path.write_text(textwrap.dedent(text).replace("BEFORE", before))
        importlib.invalidate_caches()
        return find_leaks(name)

    return find


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('JWT_SECRET = "s3cret"', "JWT_SECRET"),
        ('_api_key: str = "s3cret"', "_api_key"),
        ('AUTHENTICATORS = {"token": JWTBearer(key="s3cret", algorithms=("HS256",))}', "key"),
        ('AUTHENTICATORS = {"token": access.JWTBearer("s3cret", "HS256")}', "key"),
        ('AUTHENTICATORS = {"token": JWTBearer(keys={"k1": b"s3cret"})}', "keys"),
        ('AUTHENTICATORS = {"token": JWTBearer(key="s3cret".encode())}', "key"),
        ('EXTRA = {"mail": {"password": "s3cret"}}', "password"),
        ('EXTRA = {"tokens": ["s3cret"]}', "tokens"),
        ('EXTRA = {"tokens": {"s3cret_token": "ann"}}', "tokens"),
        ('key = {"kty": "oct", "k": "s3cret"}', "key"),
        ('DATABASE_URL = "postgresql://ann:s3cret@db/site"', "DATABASE_URL"),
        ('FORWARDED_SECRET = "s3cret"', "FORWARDED_SECRET"),
    ],
)
def test_a_literal_that_is_called_a_secret_is_one(leaks, text, name):
    (found,) = leaks("import os\n" + text)

    assert f".py:2: the value of {name} stands in the source" in found
    assert "s3cret" not in found
    assert "environment" in found


@pytest.mark.parametrize(
    "text",
    [
        'import os\nJWT_SECRET = os.environ["JWT_SECRET"]',
        'import os\nJWT_SECRET = os.environ.get("JWT_SECRET", "")',
        'JWT_SECRET = ""',
        'TOKEN_URL = "https://login.example.org/token"',
        'SIGNING_KEY = "/run/secrets/key.pem"',
        'AUTHENTICATORS = {"token": JWTBearer("keys/public.pem", "ES256")}',
        'KEY = "-----BEGIN PUBLIC KEY-----\\nabc"',
        'key = {"kty": "EC", "crv": "P-256", "x": "abc", "y": "def"}',
        f'AUTHENTICATORS = {{"key": APIKey(keys={{"ada": "sha256:{"0" * 64}"}})}}',
        'REDACT = ("password", "token")',
        'SORT_KEY = "name"',
        'DATABASE_URL = "postgresql://ann@db/site"',
        'SERVICES = {"roles": "http://127.0.0.1:9"}',
    ],
)
def test_what_only_looks_like_a_secret_is_none(leaks, text):
    assert leaks(text) == []


def test_a_setting_of_the_framework_is_told_how_to_be_given(leaks):
    (found,) = leaks('FORWARDED_SECRET = "s3cret"')

    assert found.endswith("set FORWARDED_SECRET or FORWARDED_SECRET_FILE in the environment.")


def test_modules_that_are_imported_by_a_star_are_looked_at(leaks):
    (found,) = leaks('TOKEN = "s3cret"\n', "from BEFORE import *\nfrom os import *\n")

    assert ".py:1: the value of TOKEN" in found


def test_many_are_counted(leaks):
    found = leaks("\n".join(f'TOKEN = "{number}"' for number in range(8)))

    assert len(found) == 6
    assert found[-1] == "3 more secrets stand in settings modules."


def test_a_module_that_cannot_be_found_has_none():
    assert find_leaks("no_such_module.settings") == []
    assert find_leaks("") == []
