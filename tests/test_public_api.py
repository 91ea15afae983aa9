"""`msframework` gives the names that it lists, and lists all that it gives."""

import ast
import inspect
import re
import typing
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

import pytest

import msframework
import msframework.client
import msframework.db
import msframework.migrations
import msframework.testing
from msframework import doc, exceptions
from msframework.db.stream import Prepared, RowStream
from msframework.db.transaction import Transaction

SOURCE = Path(msframework.__file__)
PYPROJECT = SOURCE.parents[1] / "pyproject.toml"


def imported_names() -> set[str]:
    """Return the names that the import statements of the package bind, for type checkers."""
    return {name for names in imports_for_checkers().values() for name in names}


def imports_for_checkers() -> dict[str, tuple[str, ...]]:
    """Return the names that the package imports for type checkers, by their modules."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    return {
        str(node.module).removeprefix("msframework").removeprefix("."): tuple(
            alias.asname or alias.name for alias in node.names
        )
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    }


def test_a_name_is_imported_from_where_type_checkers_find_it():
    assert imports_for_checkers() == msframework._HOMES


def test_the_names_are_listed_before_they_are_used():
    assert set(msframework.__all__) <= set(dir(msframework))
    with pytest.raises(AttributeError, match="module 'msframework' has no attribute 'Nothing'"):
        _ = msframework.Nothing  # type: ignore[attr-defined]


def test_all_lists_exactly_what_is_imported():
    assert set(msframework.__all__) == imported_names()


def test_all_is_sorted_as_a_reader_looks_names_up():
    assert msframework.__all__ == sorted(msframework.__all__, key=str.casefold)


@pytest.mark.parametrize("name", msframework.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name):
    value = getattr(msframework, name)

    if isinstance(value, type) and issubclass(value, Exception):
        assert f" {name} " in f"{exceptions.__doc__}".replace("\n", " \n")
    elif callable(value) or isinstance(value, ModuleType):
        assert (value.__doc__ or "").strip()


def test_the_version_is_the_one_of_the_package():
    assert f'\nversion = "{msframework.__version__}"\n' in PYPROJECT.read_text(encoding="utf-8")


def test_an_installed_package_has_the_same_version():
    try:
        installed = version("msframework")
    except PackageNotFoundError:
        pytest.skip("runs from the checkout, not installed")

    assert installed == msframework.__version__


def test_types_are_shipped():
    assert SOURCE.with_name("py.typed").exists()


# Values that are anything, and arguments that a library takes; each with its reason.
ANYTHING = {
    "CheckedRegistration.blueprint": "options of Sanic's method",
    "CheckedRegistration.refused": "Sanic's routes",
    "Cursor.fetchval": "a value of a row",
    "ModelResource.bulk_create": "arguments and result of a generated action",
    "ModelResource.bulk_delete": "arguments and result of a generated action",
    "ModelResource.bulk_patch": "arguments and result of a generated action",
    "ModelResource.create": "arguments and result of a generated action",
    "ModelResource.delete": "arguments and result of a generated action",
    "ModelResource.list": "arguments and result of a generated action",
    "ModelResource.patch": "arguments and result of a generated action",
    "ModelResource.read": "arguments and result of a generated action",
    "ModelResource.replace": "arguments and result of a generated action",
    "ModelSchema.on_bind_field": "marshmallow's own method",
    "ObservedSanic.create_server": "Sanic's own method",
    "ObservedSanic.handle_exception": "Sanic's own method",
    "ObservedSanic.handle_request": "Sanic's own method",
    "ObservedSanic.prepare": "Sanic's own method",
    "ObservedSanic.run_delayed_task": "Sanic's own method",
    "PageResult.rows": "rows, or other things that a schema writes",
    "Prepared.fetchval": "a value of a row",
    "BlueprintFiles.static": "arguments of Sanic's method",
    "StaticFiles.static": "arguments of Sanic's method",
    "Reference.__init__": "options of marshmallow's field",
    "Request.__getitem__": "a value that a service put there",
    "Request.__init__": "arguments of Sanic's request",
    "Response.json": "aiohttp's own method",
    "Transaction.__init__": "made by the data layer alone",
    "migrate": "operations of playhouse's migrator",
}
# The values of a row or a JSON object, and the two of a coroutine or a field that nobody reads.
_INSIDE = re.compile(r"(dict|Mapping)\[str, Any\]|(Coroutine|Generator)\[Any, Any, |Field\[Any\]")


def public_things() -> dict[str, object]:
    """Return the public classes and functions of the framework's own, by name."""
    modules = (
        msframework,
        msframework.client,
        msframework.db,
        msframework.migrations,
        msframework.testing,
        doc,
    )
    found = {name: getattr(module, name) for module in modules for name in module.__all__}
    found |= {each.__name__: each for each in (Prepared, RowStream, Transaction)}
    return {
        name: value
        for name, value in found.items()
        if getattr(value, "__module__", "").startswith("msframework.") and name != "Notes"
    }


def signatures(name: str, value: object) -> Iterator[tuple[str, str, str]]:
    """Yield name, parameter and annotation of all that is public in *value*."""
    if inspect.isfunction(value) and not typing.get_overloads(value):
        for parameter, annotation in value.__annotations__.items():
            yield name, parameter, str(annotation)
    for base in value.__mro__ if isinstance(value, type) else ():
        if not base.__module__.startswith("msframework."):
            continue
        for attribute, annotation in vars(base).get("__annotations__", {}).items():
            if not attribute.startswith("_"):
                yield f"{base.__name__}.{attribute}", "", str(annotation)
        for attribute, member in vars(base).items():
            function = getattr(member, "__func__", getattr(member, "fget", member))
            public = attribute in ("__init__", "__getitem__") or not attribute.startswith("_")
            if public and inspect.isfunction(function):
                yield from signatures(f"{base.__name__}.{attribute}", function)


@pytest.mark.parametrize("name", public_things())
def test_public_signatures_say_more_than_any(name):
    vague = {
        f"{where}({parameter}: {annotation})"
        for where, parameter, annotation in signatures(name, public_things()[name])
        if re.search(r"\bAny\b", _INSIDE.sub("", annotation)) and where not in ANYTHING
    }

    assert vague == set()


def test_the_list_of_anything_is_of_today():
    things = public_things().items()
    every = {where for name, value in things for where, _, _ in signatures(name, value)}

    assert ANYTHING.keys() - every == set()


def test_a_migration_imports_all_that_it_is_made_of_from_one_place():
    names = msframework.migrations.__all__

    assert names == sorted(names, key=lambda name: (name.islower(), name))
    assert all((getattr(msframework.migrations, name).__doc__ or "").strip() for name in names)
