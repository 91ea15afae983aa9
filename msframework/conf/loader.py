"""`SANIC_CONFIG_MODULE` and the environment become `Settings`. Runs at start-up.

A settings module is plain Python; its names in capitals are the settings. Names that begin with
an underscore or hold small letters are its own, and so are modules and classes that it imports.
A variable of the environment with a setting's name overrides it, and `NAME_FILE` names a file to
read it from. All mistakes, wherever they are, are listed in one `ImproperlyConfigured`.
"""

from __future__ import annotations

import importlib
import os
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from msframework._meant import find_meant
from msframework._place import assignment_of, describe
from msframework.conf.catalogue import declarations
from msframework.conf.convert import from_python, from_text
from msframework.conf.extra import read_extra
from msframework.conf.findings import Findings, did_you_mean
from msframework.conf.origin import aliases, replace_origin_names
from msframework.conf.rules import broken_rules
from msframework.conf.settings import Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.types import UNSET

MODULE_VARIABLE: Final = "SANIC_CONFIG_MODULE"
ENVIRONMENT: Final = "environment"
# NOTE: the text of any other exception may hold a secret that the module tried to read.
_SAFE_ERRORS: Final = (
    ImportError,
    LookupError,
    NameError,
    AttributeError,
    SyntaxError,
    TypeError,
)


def load_settings(module: str | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings *module* and the overrides of the environment into frozen values.

    Args:
        module: its dotted name; the one in `SANIC_CONFIG_MODULE` when `None`.
        environ: the variables to look at; those of the process when `None`.

    Raises:
        ImproperlyConfigured: there is no such module, or settings are wrong; lists every mistake.
    """
    environ = os.environ if environ is None else environ
    name = module or environ.get(MODULE_VARIABLE, "")
    findings = Findings()
    own = _read_module(_import(name), name, findings)
    overrides = _read_environ(environ, findings)
    settings = _build(name, own | overrides)
    if settings.extra_schema:
        settings = replace(settings, extra=_read_extra(settings, environ, findings))
    for broken in broken_rules(settings):
        if findings.names.isdisjoint(broken.names):
            where = name if overrides.keys().isdisjoint(broken.names) else ENVIRONMENT
            findings.problems.append(f"{where}: {broken.text}")
    if findings.problems:
        raise ImproperlyConfigured.of(findings.problems)
    return settings


def _read_extra(
    settings: Settings, environ: Mapping[str, str], findings: Findings
) -> Mapping[str, Any]:
    def read_variable(name: str) -> str | None:
        return _read_variable(name, environ, findings)

    return read_extra(
        settings.extra_schema, settings.extra, settings.module, ENVIRONMENT, read_variable, findings
    )


def _import(name: str) -> ModuleType:
    if not name:
        raise ImproperlyConfigured(
            f"{MODULE_VARIABLE} is not set; expected the dotted name of a settings module. "
            f"Set {MODULE_VARIABLE}=settings.development, or pass --settings."
        )
    dotted = name.removesuffix(".py").replace("/", ".").strip(".")
    if dotted != name:
        raise ImproperlyConfigured(
            f"The settings module {name!r} is a path; expected a dotted name. Write {dotted}."
        )
    try:
        return importlib.import_module(name)
    except ImproperlyConfigured as exc:  # such as a key that is too short
        where = assignment_of(exc) or name
        raise ImproperlyConfigured.of(f"{where}: {text}" for text in exc.problems) from exc
    except Exception as exc:
        missing = isinstance(exc, ModuleNotFoundError) and exc.name is not None
        if missing and f"{name}.".startswith(f"{exc.name}."):  # type: ignore[attr-defined]
            raise ImproperlyConfigured(
                f"The settings module {name!r} cannot be found ({exc}); expected the dotted name "
                f"of a module, as in {MODULE_VARIABLE}=settings.development. Check the spelling "
                "and that the project's root is the current directory."
            ) from exc
        if isinstance(exc, ImproperlyConfigured):  # of a key that is too short, for instance
            said = describe(exc, quoted=False).removeprefix("ImproperlyConfigured: ")
            raise ImproperlyConfigured(f"The settings module {name!r}: {said}") from exc
        said = describe(exc, quoted=False, told=isinstance(exc, _SAFE_ERRORS))
        advice = find_meant(exc) or "Mend the module; --traceback shows more."
        if isinstance(exc, KeyError) and _is_of_environ(exc):
            advice = f"Set the variable {exc.args[0]} in the environment."
        raise ImproperlyConfigured(
            f"The settings module {name!r} cannot be imported: {said}. {advice}"
        ) from exc


def _is_of_environ(exc: KeyError) -> bool:
    """Tell whether *exc* is of a variable that the environment does not have."""
    (*_, last) = traceback.extract_tb(exc.__traceback__)
    return last.filename == os.__file__ or last.filename == "<frozen os>"


def _read_module(module: ModuleType, where: str, findings: Findings) -> dict[str, Any]:
    known = declarations()
    accepted = {*known, *aliases(), "DB_CONFIG"}
    raw: dict[str, Any] = {}
    for name, value in vars(module).items():
        if not name.isupper() or name.startswith("_"):
            continue
        if name in accepted:
            raw[name] = value
        elif name != "TYPE_CHECKING" and not isinstance(value, (ModuleType, type)):
            otherwise = "Put settings of your own into EXTRA, or begin the name with _."
            advice = f"{did_you_mean(name, accepted, '')} {otherwise}".lstrip()
            findings.add(where, name, "unknown", "the name of a setting", advice)
    replace_origin_names(raw, where, findings)
    typed = {name: from_python(known[name], raw[name], where, findings) for name in raw}
    return {name: value for name, value in typed.items() if value is not UNSET}


def _read_environ(environ: Mapping[str, str], findings: Findings) -> dict[str, Any]:
    known = declarations()
    texts: dict[str, str] = {}
    for name in (*known, *aliases(), "DB_CONFIG"):
        text = _read_variable(name, environ, findings)
        if text is not None:
            texts[name] = text
    raw: dict[str, Any] = dict(texts)
    replace_origin_names(raw, ENVIRONMENT, findings)
    typed = {}
    for name, value in raw.items():
        read = from_text if isinstance(value, str) else from_python
        typed[name] = read(known[name], value, ENVIRONMENT, findings)
    return {name: value for name, value in typed.items() if value is not UNSET}


def _read_variable(name: str, environ: Mapping[str, str], findings: Findings) -> str | None:
    """Return the text of the variable *name*, or that of the file that `NAME_FILE` names."""
    path = environ.get(f"{name}_FILE")
    if not path:
        return environ.get(name)
    if name in environ:
        advice = f"Unset {name} or {name}_FILE."
        findings.add(ENVIRONMENT, name, f"set, and {name}_FILE too", "one of the two", advice)
        return None
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        found = f"{path!r}, which cannot be read ({reason})"
        advice = "Mend the path or the file's permissions."
        findings.add(ENVIRONMENT, f"{name}_FILE", found, "a file with the value", advice)
        findings.names.add(name)
        return None


def _build(name: str, values: Mapping[str, Any]) -> Settings:
    """Put *values* where they belong; one that is missing or was refused keeps its default."""
    sections: dict[str, dict[str, Any]] = {"": {"module": name}}
    for setting, value in values.items():
        declared = declarations()[setting]
        sections.setdefault(declared.section, {})[declared.attribute] = value
    plain = sections.pop("")
    default = Settings()
    return replace(
        default,
        **plain,
        **{
            section: replace(getattr(default, section), **given)
            for section, given in sections.items()
        },
    )
