"""What a person sees who serves in a terminal: a real one, and the same in a pipe."""

import json
import re
import time

import pytest

from tests.console import read_url
from tests.processes import ServerProcess, credentials, fresh_database

TIME = r"\d\d:\d\d:\d\d\.\d{3}"


@pytest.fixture(scope="module")
def database():
    """Yield the URL of an empty database."""
    with fresh_database("terminal") as url:
        yield url


def ask(server, path):
    return read_url(f"{server.url}{path}", credentials())[0]


def wait_for(server, text):
    deadline = time.monotonic() + 200
    while text not in server.output():
        assert time.monotonic() < deadline, server.output()
        time.sleep(0.05)


def shown(tmp_path, database, *arguments, terminal=True, **env):
    """Return the lines that a server prints that answers two requests."""
    env = {"NO_COLOR": "", "FORCE_COLOR": "", "TERM": "xterm", **env}
    server = ServerProcess(
        tmp_path / "log",
        *("--settings", "settings.roles", *arguments),
        terminal=terminal,
        DATABASE_URL=database,
        **env,
    )
    with server:
        assert [ask(server, path) for path in ("/roles", "/roles/99")] == [200, 404]
        wait_for(server, "/roles/99")
        assert server.stop() == 0
    wait_for(server, "Worker complete")
    return server.output().splitlines()


@pytest.mark.parametrize(
    "arguments", [(), pytest.param(("--reload",), marks=pytest.mark.acceptance)]
)
def test_a_terminal_has_one_coloured_line_for_each_request(tmp_path, database, arguments):
    lines = shown(tmp_path, database, *arguments)

    plain = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines]
    access = [line for line in plain if " access: " in line]
    one = rf"{TIME} INFO    access: GET /roles 200 \d+\.\d ms trace=[0-9a-f]{{8}}"
    assert len([line for line in access if re.fullmatch(one, line)]) == 1
    assert any("\x1b[33m404" in line for line in lines)
    assert not [line for line in plain if line.startswith("{") or "traceId" in line]
    assert not [line for line in plain if "PRODUCTION" in line]


def test_no_color_is_honoured(tmp_path, database):
    lines = shown(tmp_path, database, NO_COLOR="1")

    assert any(re.match(rf"{TIME} INFO    access: GET /roles 200", line) for line in lines)
    assert not [line for line in lines if "\x1b" in line]


def test_a_pipe_has_json(tmp_path, database):
    lines = shown(tmp_path, database, terminal=False)

    access = [json.loads(line) for line in lines if "msframework.access" in line]
    assert {"GET /roles 200", "GET /roles/99 404"} <= {line["message"] for line in access}
    assert any("traceId" in line for line in lines)


def test_a_pipe_may_have_text_and_colours(tmp_path, database):
    lines = shown(tmp_path, database, terminal=False, LOG_FORMAT="text", FORCE_COLOR="1")

    assert any("\x1b[2maccess:" in line for line in lines)
