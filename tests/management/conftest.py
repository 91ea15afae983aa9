"""A small project on disk, and its command line."""

import os
import pty
import subprocess
import sys

import pytest
from sanic import Sanic

from msframework.management import execute
from tests.console import ROOT, environment

SETTINGS = """
DEBUG = True
INSTALLED_APPS = ("shop.orders",)
"""
RESOURCES = '''
from msframework import Blueprint, Resource, doc

orders = Blueprint("orders", url_prefix="/orders")


@orders.resource("/<id:int>")
class OrderDetail(Resource):
    """One order."""

    @doc.summary("Show an order")
    @doc.produces({"id": int})
    async def get(self, request, id):
        return {"id": id}
'''
MODELS = """
from msframework.models import CharField, Model


class Order(Model):
    label = CharField(max_length=20)
"""
HOOKS = """
import asyncio
import logging
import os
import signal
import threading


class Noisy:
    async def start(self):
        print("part started", flush=True)

    async def stop(self):
        print("part stopped", flush=True)


async def terminate(*_):
    os.kill(os.getpid(), signal.SIGTERM)


async def terminate_twice(*_):
    await terminate()
    await terminate()


def stop_before(service):
    service.add_part(Noisy())
    service.register_listener(terminate, "before_server_start")


def stop_after(service):
    service.add_part(Noisy())
    service.register_listener(terminate, "after_server_start")


async def start_slowly(*_):
    await terminate()
    await asyncio.sleep(0.3)


def stop_within(service):
    service.add_part(Noisy())
    service.register_listener(start_slowly, "after_server_start")


def terminate_when_ready(record):
    if record.getMessage().startswith("Worker ready"):
        os.kill(os.getpid(), signal.SIGTERM)
    return True


def stop_between_runs_of_the_loop(service):
    service.add_part(Noisy())
    logging.getLogger("sanic.server").addFilter(terminate_when_ready)


async def connect(service, *_):
    sock = service.state.server_info[0].settings["sock"]
    service.ctx.idle = await asyncio.open_connection(*sock.getsockname()[:2])


def terminate_soon(record):
    if record.getMessage().startswith("Worker ready"):
        threading.Timer(0.04, os.kill, (os.getpid(), signal.SIGTERM)).start()
    return True


def stop_soon_after(service):
    service.add_part(Noisy())
    service.register_listener(connect, "after_server_start")
    logging.getLogger("sanic.server").addFilter(terminate_soon)


def insist(service):
    service.register_listener(terminate_twice, "before_server_start")


async def wait_for_word(*_):
    with open(os.environ["WORD"]) as pipe:
        pipe.read()


def look_late(service):
    service.register_listener(wait_for_word, "reload_process_start")
"""
COMMANDS = '''
import click


@click.command("count-orders")
@click.option("--limit", type=int, default=1)
@click.pass_obj
def count(project, limit):
    """Count the orders."""
    project.echo(f"{limit} orders in {project.settings.module}")
'''
COMMAND_FILE = '''
"""A command of the orders app."""
import click


@click.command()
@click.argument("what", default="nothing")
def command(what):
    """Fail in the way that WHAT names."""
    if what == "interrupt":
        raise KeyboardInterrupt
    if what == "pipe":
        raise BrokenPipeError
    if what == "exit":
        raise SystemExit(7)
    raise RuntimeError(what)
'''


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """Write a project with one app: `shop.orders`, its settings `shop.settings`."""
    root = tmp_path_factory.mktemp("project")
    files = {
        "shop/__init__.py": "",
        "shop/settings.py": SETTINGS,
        "shop/broken.py": SETTINGS + "PROT = 80\n",
        "shop/hooks.py": HOOKS,
        "shop/orders/__init__.py": "",
        "shop/orders/resources.py": RESOURCES,
        "shop/orders/models.py": MODELS,
        "shop/orders/commands.py": COMMANDS,
        "shop/orders/management/__init__.py": "",
        "shop/orders/management/commands/__init__.py": "",
        "shop/orders/management/commands/fail_on_purpose.py": COMMAND_FILE,
        "shop/orders/management/commands/no_command.py": '"""Holds none."""\ncommand = 5\n',
        "shop/orders/management/commands/_private.py": "",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def run(project, monkeypatch, capsys):
    """Run a command line in this process; returns exit code, output and error output."""
    monkeypatch.syspath_prepend(project)
    before = dict(os.environ)
    monkeypatch.setenv("SANIC_CONFIG_MODULE", "shop.settings")

    def run(*arguments: str, **options: str) -> tuple[int, str, str]:
        Sanic._app_registry.clear()  # a command is a process of its own, and may use any name
        code = execute(arguments, **options)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield run
    os.environ.clear()  # options of a command line are put there, for worker processes
    os.environ.update(before)


def environment_of_project(**values: str) -> dict[str, str]:
    """Return the environment of a process of the project."""
    # NOTE: without coverage, which would make it start half as fast again.
    usual = {"PYTHONPATH": str(ROOT), "SANIC_CONFIG_MODULE": "shop.settings"}
    return environment(watched=False, **(usual | values))


@pytest.fixture
def python(project):
    """Run `python` with arguments in the project, as a process of its own."""

    def python(*arguments: str, stdin: str = "", **environ: str):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=project,
            env=environment_of_project(**environ),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )

    return python


@pytest.fixture
def in_terminal(project):
    """Run a command line in a terminal of its own, type into it, return what it shows."""

    def in_terminal(*arguments: str, typed: str = "", **environ: str) -> str:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "msframework", *arguments],
            cwd=project,
            env=environment_of_project(TERM="xterm", **environ),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        try:
            while block := os.read(ours, 4096):
                shown += block
        except OSError:  # the terminal is gone with the last process in it
            pass
        finally:
            os.close(ours)
            process.wait(200)
        return shown.decode()

    return in_terminal
