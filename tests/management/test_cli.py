"""The command line: which commands there are, what options they take, how they fail."""

import os
import re
import sys

import pytest

from msframework.conf.loader import MODULE_VARIABLE
from msframework.management import execute
from msframework.migrations.interruption import Interrupted, Terminated


def test_help_lists_our_commands_and_those_of_apps(run):
    code, out, _ = run("--help")

    assert code == 0
    for name in ("check", "db", "migrate", "routes", "runserver", "shell", "test"):
        assert re.search(rf"^  {name} ", out, re.M)
    assert "count-orders" in out
    assert "Fail in the way that WHAT names" in out
    assert "cannot be read" not in out


def test_no_command_shows_the_help_and_is_a_usage_error(run):
    code, _, err = run()

    assert code == 2
    assert "Commands:" in err


@pytest.mark.parametrize("arguments", [("--settings", "shop.broken", "-h"), ("-h",)])
def test_help_works_when_the_settings_do_not(run, monkeypatch, arguments):
    monkeypatch.setenv(MODULE_VARIABLE, "shop.broken")

    code, out, _ = run(*arguments)

    assert code == 0
    assert "runserver" in out
    assert "count-orders" not in out
    assert "the settings cannot be read" in out


def test_an_unknown_command_suggests_the_nearest(run):
    code, _, err = run("runsrever")

    assert code == 2
    assert "There is no command 'runsrever'. Did you mean 'runserver'?" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "advice"), [("show_urls", "manage.py routes"), ("startapp", "the quickstart shows")]
)
def test_a_command_of_elsewhere_has_its_counterpart(run, name, advice):
    code, _, err = run(name)

    assert code == 2
    assert advice in " ".join(err.split())


def test_an_unknown_command_without_a_near_one_points_to_the_help(run):
    code, _, err = run("xyz")

    assert code == 2
    assert "--help lists the commands" in err


def test_an_unknown_command_says_when_those_of_apps_are_not_known(run):
    code, _, err = run("--settings", "shop.broken", "count-orders")

    assert code == 2
    assert "Commands of apps are not listed" in err


def test_an_unknown_option_is_a_usage_error(run):
    code, _, err = run("routes", "--nope")

    assert code == 2
    assert "No such option '--nope'" in err


def test_wrong_settings_are_one_paragraph_and_exit_code_1(run):
    code, out, err = run("routes", "--settings", "shop.broken")

    assert (code, out) == (1, "")
    assert err == (
        "Error: shop.broken: PROT is unknown; expected the name of a setting. Did you mean PORT? "
        "Put settings of your own into EXTRA, or begin the name with _.\n"
    )


def test_a_missing_settings_module_is_named(run):
    code, _, err = run("routes", "--settings", "shop.nope")

    assert code == 1
    assert "The settings module 'shop.nope' cannot be found" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--settings", "shop.settings", "count-orders"),
        ("count-orders", "--settings", "shop.settings"),
        ("--settings", "shop.broken", "count-orders", "--settings", "shop.settings"),
    ],
)
def test_settings_are_taken_before_and_after_the_command(run, monkeypatch, arguments):
    monkeypatch.setenv(MODULE_VARIABLE, "shop.settings")

    code, out, _ = run(*arguments)

    if arguments[1] == "shop.broken":
        assert code == 2  # the command of an app is looked for before its options are read
    else:
        assert (code, out) == (0, "1 orders in shop.settings\n")


def test_settings_are_taken_by_commands_in_a_group(run):
    code, _, err = run("db", "status", "--settings", "shop.nope")

    assert code == 1
    assert "'shop.nope' cannot be found" in err


def test_options_of_an_app_command_are_its_own(run):
    assert run("count-orders", "--limit", "3")[1] == "3 orders in shop.settings\n"


def test_the_default_settings_are_used_where_nothing_else_names_some(run, monkeypatch):
    monkeypatch.delenv(MODULE_VARIABLE)

    code, out, _ = run("count-orders", default_settings="shop.settings")

    assert (code, out) == (0, "1 orders in shop.settings\n")
    assert os.environ[MODULE_VARIABLE] == "shop.settings"


def test_no_settings_at_all_says_what_to_do(run, monkeypatch):
    monkeypatch.delenv(MODULE_VARIABLE)

    code, _, err = run("routes")

    assert code == 1
    assert "SANIC_CONFIG_MODULE is not set" in err
    assert "--settings" in err


def test_any_exception_is_one_paragraph(run):
    code, out, err = run("fail-on-purpose", "oops")

    assert (code, out) == (1, "")
    assert err == "Error: RuntimeError: oops (--traceback shows where)\n"


def test_an_exception_without_a_text_is_named(run):
    assert run("fail-on-purpose", "")[2] == "Error: RuntimeError (--traceback shows where)\n"


@pytest.mark.parametrize(
    "arguments", [("--traceback", "fail-on-purpose"), ("fail-on-purpose", "--traceback")]
)
def test_the_traceback_is_shown_when_asked_for(run, arguments):
    code, _, err = run(*arguments)

    assert code == 1
    assert "Traceback (most recent call last)" in err
    assert err.endswith("RuntimeError: nothing\n")


def test_an_interrupt_is_exit_code_130(run):
    assert run("fail-on-purpose", "interrupt")[0] == 130


def test_an_interrupt_amid_the_import_is_one_line(monkeypatch, capsys):
    class Interrupting:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "msframework.management.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "msframework.management.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupting, *sys.meta_path])

    assert execute(["--help"]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_an_error_may_have_an_exit_code_of_its_own(monkeypatch, capsys):
    def fail(*args, **options):
        raise Interrupted("a.0001 was interrupted.", Terminated())

    monkeypatch.setattr("msframework.management.cli.cli.main", fail)

    assert execute([]) == 143
    assert capsys.readouterr().err == "Error: a.0001 was interrupted.\n"


def test_a_command_may_leave_with_a_code_of_its_own(run):
    with pytest.raises(SystemExit) as caught:
        run("fail-on-purpose", "exit")

    assert caught.value.code == 7


def test_a_reader_that_went_away_is_no_error_message(python):
    result = python("-m", "msframework", "fail-on-purpose", "pipe")

    assert (result.returncode, result.stderr) == (1, "")


def test_a_module_without_a_command_is_named(run):
    code, _, err = run("no-command")

    assert code == 1
    assert "shop.orders.management.commands.no_command: 'command' is 5" in err


def test_python_dash_m_runs_the_same_commands(python):
    result = python("-m", "msframework", "count-orders")

    assert (result.returncode, result.stdout) == (0, "1 orders in shop.settings\n")


def test_a_script_elsewhere_finds_the_project_in_the_current_directory(python, tmp_path):
    script = tmp_path / "msframework-script"
    script.write_text("import sys; from msframework.management import execute; sys.exit(execute())")

    result = python(str(script), "count-orders")

    assert (result.returncode, result.stdout) == (0, "1 orders in shop.settings\n")


def test_there_is_no_colour_in_a_pipe(python):
    result = python("-m", "msframework", "fail-on-purpose")

    assert result.stderr.startswith("Error: ")


def test_there_is_no_colour_where_it_is_not_wanted(in_terminal):
    assert "\x1b[31m" in in_terminal("fail-on-purpose")
    assert "\x1b[" not in in_terminal("fail-on-purpose", NO_COLOR="1")
