"""The command line: a Click group that finds its commands, and turns errors into exit codes.

Runs on the command line. Exit codes: 0 fine, 1 an error, 2 a wrong command line, 130 interrupted by
Ctrl-C, 143 by SIGTERM.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click

from msframework.alike import find_nearest
from msframework.exceptions import ImproperlyConfigured
from msframework.management.discovery import CommandEntry, app_commands, built_in_commands
from msframework.management.project import Project, describe_failure

# Commands of other frameworks, and what does the same here.
_ELSEWHERE: Final[Mapping[str, str]] = {
    "dbshell": 'Write: psql "$DATABASE_URL", or of the embedded one psql "$(manage.py db url)".',
    "showurls": "Write: manage.py routes.",
    "spectacular": "Write: manage.py openapi.",
    **dict.fromkeys(
        ("startapp", "startproject"),
        "A project is a manage.py and a settings module, an app is a package with models and "
        "resources; the quickstart shows each file.",
    ),
}


class ManagementGroup(click.Group):
    """The commands of msframework and of the installed apps, each imported when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands; of ours alone when the settings cannot be read."""
        return sorted(self._commands(ctx))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command *cmd_name*; the settings are read only when it is none of ours."""
        found = built_in_commands().get(cmd_name) or self._commands(ctx).get(cmd_name)
        return None if found is None else add_options(found.load())

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that *args* begin with; an unknown one suggests the nearest."""
        unknown = not args[0].startswith("-") and self.get_command(ctx, args[0]) is None
        if unknown and not ctx.resilient_parsing:
            close = find_nearest(args[0], self.list_commands(ctx))
            advice = f"Did you mean {close!r}?" if close else "--help lists the commands."
            advice = _ELSEWHERE.get(args[0].replace("_", ""), advice)
            ctx.fail(f"There is no command {args[0]!r}. {advice} {_unread(ctx)}".rstrip())
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands; the help of each is read from its file."""
        rows = [(name, found.summary) for name, found in sorted(self._commands(ctx).items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        if note := _unread(ctx):
            formatter.write_paragraph()
            formatter.write_text(note)

    def _commands(self, ctx: click.Context) -> dict[str, CommandEntry]:
        project = _project(ctx)
        try:
            apps = app_commands(project.settings.installed_apps)
        except ImproperlyConfigured:
            apps = {}
        return apps | built_in_commands()


def _project(ctx: click.Context) -> Project:
    return ctx.ensure_object(Project)


def _unread(ctx: click.Context) -> str:
    try:
        _ = _project(ctx).settings
    except ImproperlyConfigured:
        return "Commands of apps are not listed, as the settings cannot be read (try check)."
    return ""


def _choose_settings(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        _project(ctx).chosen = value


def _show_tracebacks(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        _project(ctx).traceback = True


def _options() -> list[click.Option]:
    return [
        click.Option(
            ["--settings"],
            metavar="MODULE",
            help="The settings module, as in settings.development.",
            expose_value=False,
            is_eager=True,
            callback=_choose_settings,
        ),
        click.Option(
            ["--traceback"],
            is_flag=True,
            help="Show the traceback of an error.",
            expose_value=False,
            is_eager=True,
            callback=_show_tracebacks,
        ),
    ]


def add_options(command: click.Command) -> click.Command:
    """Give *command*, and those within it, the options that every command takes."""
    taken = {name for param in command.params for name in param.opts}
    command.params += [option for option in _options() if taken.isdisjoint(option.opts)]
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            add_options(inner)
    return command


cli = ManagementGroup(
    "msframework",
    params=list(_options()),
    help="Run, migrate, test and look into the services of this project.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def execute(argv: Sequence[str] | None = None, *, default_settings: str | None = None) -> int:
    """Run the command line *argv* and return its exit code.

    Args:
        argv: the arguments without the program's name; those of the process when `None`.
        default_settings: the settings module where nothing else names one.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(1, os.getcwd())  # a console script finds the project too
    project = Project(default_settings)
    try:
        code = cli.main(
            None if argv is None else list(argv),
            obj=project,
            standalone_mode=False,
            color=_color(),
        )
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return 130
    except BrokenPipeError:  # `manage.py routes | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as exc:
        return _report(exc, project)
    return code if isinstance(code, int) else 0


def _color() -> bool | None:
    """Return whether https://no-color.org asks for colours; click decides when `None`."""
    return False if os.environ.get("NO_COLOR") else None


def _report(exc: Exception, project: Project) -> int:
    text = describe_failure(exc, traceback=project.traceback)
    code = exc.exit_code if isinstance(exc, ImproperlyConfigured) else 1
    if project.traceback:
        click.echo(text, err=True, nl=False)
        return code
    click.secho("Error: ", fg="red", bold=True, err=True, nl=False, color=_color())
    click.echo(text, err=True)
    return code
