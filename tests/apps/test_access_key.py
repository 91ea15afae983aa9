"""The key of the example services: given by the environment, or made once for the desk."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from msframework.exceptions import ImproperlyConfigured
from settings import access


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    """Return the place of the desk's key, which is not there yet."""
    monkeypatch.setattr(access, "_DESK", tmp_path / "desk")
    monkeypatch.delenv("ACCESS_KEY", raising=False)
    monkeypatch.delenv("ACCESS_KEY_FILE", raising=False)
    return tmp_path / "desk" / "access.key"


def test_the_desk_makes_one_key_for_all_who_start_at_once(desk):
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: access.desk_key(), range(8)))

    assert keys == {desk.read_text()}
    assert stat.S_IMODE(desk.stat().st_mode) == 0o600
    assert [path.name for path in desk.parent.iterdir()] == ["access.key"]
    assert access.build_issuer(desk.read_text()).issue("1")


def test_the_environment_comes_first(desk, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCESS_KEY", "a" * 64)
    assert access.desk_key() == access.require_key() == "a" * 64

    (tmp_path / "key").write_text("b" * 64 + "\n")
    monkeypatch.setenv("ACCESS_KEY_FILE", str(tmp_path / "key"))
    assert access.desk_key() == access.require_key() == "b" * 64
    assert not desk.exists()


def test_a_desk_that_cannot_be_written_is_named(desk):
    desk.parent.write_text("in the way")

    with pytest.raises(ImproperlyConfigured, match=r"cannot be made or read.*ACCESS_KEY"):
        access.desk_key()


@pytest.mark.parametrize("given", [None, ""])
def test_production_has_no_default(monkeypatch, given):
    if given is not None:
        monkeypatch.setenv("ACCESS_KEY", given)

    with pytest.raises(ImproperlyConfigured, match=r"ACCESS_KEY is not set.*openssl rand -hex 32"):
        access.require_key()


def test_a_weak_key_is_refused():
    with pytest.raises(ImproperlyConfigured) as caught:
        access.build_issuer("s3cret-s3cret")

    assert "s3cret" not in str(caught.value)
