"""The files of `deploy/`, read for the tests."""

import json
import re
from collections import defaultdict
from pathlib import Path

from msframework.conf.catalogue import declarations

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
HAPROXY = DEPLOY / "haproxy" / "haproxy.cfg"
NGINX = DEPLOY / "nginx" / "msframework.conf"
ENVOY = DEPLOY / "envoy" / "envoy.yaml"
UNIT = DEPLOY / "systemd" / "msframework.service"
SOCKET = DEPLOY / "systemd" / "msframework.socket"
DOCKERFILE = DEPLOY / "Dockerfile"
IGNORED = DEPLOY / "Dockerfile.dockerignore"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


def default(name):
    """Return the default of the setting *name*."""
    return declarations()[name].default


def seconds(text):
    """Return a time of a configuration, such as `1500ms`, in seconds."""
    number, unit = re.fullmatch(r"([\d.]+)(ms|s|m|h|)", text).groups()
    return float(number) * _UNITS[unit]


def read_unit(path):
    """Return the values of a unit by key, in order."""
    found = defaultdict(list)
    for line in path.read_text().splitlines():
        if line and line[0] not in "#;[":
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


def unit_environment():
    """Return the variables that the unit sets."""
    words = [word for line in read_unit(UNIT)["Environment"] for word in line.split()]
    return dict(word.split("=", 1) for word in words)


def read_stages():
    """Return the instructions of each stage of the Dockerfile, as pairs of name and value."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    stages = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line:
            name, _, value = line.partition(" ")
            if name == "FROM":
                stages.append([])
            stages[-1].append((name, value.strip()))
    return stages


def image_environment():
    """Return the variables of the image."""
    words = [word for name, value in read_stages()[-1] if name == "ENV" for word in value.split()]
    return dict(word.split("=", 1) for word in words)


def exec_form(instruction):
    """Return the words of the last `CMD` or `HEALTHCHECK` of the image."""
    [value] = [value for name, value in read_stages()[-1] if name == instruction]
    return json.loads(value[value.index("[") :])
