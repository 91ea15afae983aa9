"""Commands are found by their files, and read without being imported."""

import sys

from msframework.management.discovery import app_commands, built_in_commands


def test_our_commands_are_all_there_and_say_what_they_do():
    commands = built_in_commands()

    assert commands.keys() >= {
        "check",
        "db",
        "inspectdb",
        "makekey",
        "makemigrations",
        "migrate",
        "openapi",
        "routes",
        "runserver",
        "shell",
        "showmigrations",
        "sqlmigrate",
        "test",
    }
    assert [name for name, found in commands.items() if not found.summary] == []


def test_every_one_of_our_commands_loads():
    for found in built_in_commands().values():
        assert found.load().callback is not None or found.name == "db"


def test_app_commands_are_found_in_both_places(project, monkeypatch):
    monkeypatch.syspath_prepend(project)

    found = app_commands(["shop.orders"])

    assert found.keys() == {"count-orders", "fail-on-purpose", "no-command"}
    assert found["count-orders"].summary == "Count the orders."
    assert found["fail-on-purpose"].summary == "Fail in the way that WHAT names"
    assert found["no-command"].summary == "Holds none"


def test_a_file_that_is_no_python_is_listed_without_a_summary(tmp_path, monkeypatch):
    commands = tmp_path / "lone_app" / "management" / "commands"
    commands.mkdir(parents=True)
    (commands / "unreadable.py").write_text("def command(:\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert app_commands(["lone_app"])["unreadable"].summary == ""


def test_listing_imports_no_command_file(project, monkeypatch):
    monkeypatch.syspath_prepend(project)
    name = "shop.orders.management.commands.fail_on_purpose"
    monkeypatch.delitem(sys.modules, name, raising=False)

    app_commands(["shop.orders"])

    assert name not in sys.modules


def test_apps_without_commands_have_none(project, monkeypatch):
    monkeypatch.syspath_prepend(project)

    assert app_commands(["shop", "no_such_app", "no.such.app"]) == {}
