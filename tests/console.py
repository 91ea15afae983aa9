"""The pages of the documentation as programs: their files, their commands, what those print.

A block whose first line is `# some/path.py` (or `.toml`) is that file. In a `console` block a line
that begins with `$ ` is a command (a backslash or an open quote continues it), and what follows is
what it prints.
"""

import difflib
import os
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"), "<time>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<trace>"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "<span>"),
    (re.compile(r"\(pid \d+\)"), "(pid)"),
    (re.compile(r"\b\d+(\.\d+)? ms\b"), "<n> ms"),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a page, and what the page says that it prints."""

    command: str
    output: str


def read_steps(page: Path) -> list[Step]:
    """Return the commands of the console blocks of *page*, in order."""
    steps = []
    for language, text in _BLOCK.findall(page.read_text()):
        if language != "console":
            continue
        command, output = "", []
        for line in text.splitlines():
            if _goes_on(command):
                command += "\n" + line
            elif line.startswith("$ "):
                if command:
                    steps.append(Step(command, "\n".join(output)))
                command, output = line[2:], []
            else:
                output.append(line)
        steps.append(Step(command, "\n".join(output)))
    return steps


def _goes_on(command: str) -> bool:
    """Say whether the next line belongs to *command*: a backslash ends it, or a quote is open."""
    if command.endswith("\\"):
        return True
    try:
        shlex.split(command)
    except ValueError:
        return True
    return False


def read_files(page: Path) -> dict[str, str]:
    """Return the files of *page*, by path."""
    files = {}
    for language, text in _BLOCK.findall(page.read_text()):
        first = text.partition("\n")[0]
        if language != "console" and re.fullmatch(r"# [\w/.]+\.(py|toml)", first):
            path = first.removeprefix("# ")
            files[path] = files.get(path, "") + text
    return files


def normalise(text: str) -> str:
    """Return *text* with placeholders for what differs from run to run."""
    for pattern, placeholder in _VARYING:
        text = pattern.sub(placeholder, text)
    return text.strip()


def run_step(step: Step, *, port: int, cwd: Path, env: dict[str, str]) -> list[str]:
    """Run *step* against the server at *port*; return the lines of the difference, if any."""
    command = step.command.replace("localhost:8000", f"127.0.0.1:{port}")
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=250,
    )
    printed = done.stdout.replace(f"127.0.0.1:{port}", "localhost:8000")
    expected, found = normalise(step.output).splitlines(), normalise(printed).splitlines()
    differences = list(difflib.unified_diff(expected, found, "page", "printed", lineterm=""))
    return [f"$ {step.command}", *differences] if differences else []


def environment(*, watched: bool = True, **values: str) -> dict[str, str]:
    """Return this process's environment with its own Python first, and *values*.

    Args:
        watched: whether the coverage of this process goes on in those that it starts; it must not
            where they measure coverage of their own.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "SANIC_CONFIG_MODULE" and (watched or not name.startswith("COV"))
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1", **values}


def read_url(
    url: str, headers: Mapping[str, str] | None = None, timeout: float = 10
) -> tuple[int, bytes]:
    """Return status and body of the answer at *url*, whatever its status."""
    request = urllib.request.Request(url, headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read()


def answers(url: str) -> bool:
    """Whether a server answers at *url*, whatever it says."""
    try:
        read_url(url, timeout=30)
    except OSError:
        return False
    return True
