"""The shape of the code: floors, circles, sizes, and imports that do nothing."""

import ast
import graphlib
import io
import re
import subprocess
import sys
import tokenize
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from msframework.conf.catalogue import declarations
from msframework.conf.loader import MODULE_VARIABLE
from msframework.conf.origin import aliases
from tests.console import ROOT, environment

PACKAGE = ROOT / "msframework"
LONGEST = 400
LONGEST_FUNCTION = 40
# Functions that are longer, and why.
LONG_FUNCTIONS = {
    "client.caller.Caller.call": "the docstring of a public method",
    "compile.reader._read": "one fact of an operation after the other",
    "compile.request._compile_fields": "a closure over what start-up knows of an input",
    "compile.signature.read_arguments": "one case for each kind of argument",
    "db.session.Session.run": "the straight line of every statement, nothing of it called",
    "db.traced.note_statement": "the tags of a span, one after the other",
    "inputs.encoding.decode_body": "bounds around each piece that is unpacked",
    "serving.accept.build_accept": "closures over what a worker knows",
    "serving.accept.build_accept.accept": "the straight line of every request",
    "serving.http.LeanHttp._serve": "the straight line of every request",
    "serving.matcher.build_matcher": "closures over what a worker knows",
    "tracing.tracer.Tracer.start_request": "the straight line of every request",
    "tracing.tracer.Tracer.start_span": "the straight line of every span that a user begins",
}
# Classes and aliases of one name, by the modules that have them; no others may share a name. Where
# all but one are renamed, the entry is dropped.
HOMONYMS = {
    "Answer": "operation serving.answer testing.answer",
    "Run": "db.model_statements migrations.operations.custom",
    "Table": "migrations.schema table",
}
# What comments cite and our code doesn't hold: names of others, and of examples.
CITED_ELSEWHERE = {
    *("query_to_xml", "deadlock_timeout", "set_config", "ts_rewrite", "ts_stat"),  # PostgreSQL's
    *("GRACEFUL_TCP_CLOSE_TIMEOUT", "add_task", "fail_under"),  # Sanic's, coverage's
    *("UserDetail", "UserIn", "UserPatch", "UserSchema", "access_token", "add_sex", "create_user"),
    "x_token",
    "OrderState",
    "order_state",
}
FILES_ELSEWHERE = {"logging.yml", "migrations.py"}  # of a user's project

# A module imports from its own floor and from those below. Every module and package has a place,
# and what a handler is given and gives back stands below all that serves it.
FLOORS = (
    "aio alike clock cors exceptions headers pace principal problem table types"
    " _codegen _early _imports _meant _place _signature _tested",
    "context envelope inputs json_text pg_values strict_json conf tracing log response"
    " metrics limits",
    "serving.answer",
    "db models migrations client",
    "application serving.request",
    "access",
    "schemas operation provider doc decorator resource pagination filters",
    "codec",
    "collection compile openapi misfit errors template",
    "app admission health lifecycle measuring operations registration requirement routing mounting"
    " observer sanic_decorators serving",
    "management testing __main__ metrics.reference",
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names.split()}


def module_name(path: Path) -> str:
    """Return the dotted name of the module at *path*."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
INNER = {name: path for name, path in MODULES.items() if name != "msframework"}


@cache
def tree_of(name: str) -> ast.Module:
    """Return the syntax tree of the module *name*."""
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


@cache
def nodes_of(name: str) -> list[ast.AST]:
    """Return all nodes of that tree."""
    return list(ast.walk(tree_of(name)))


@cache
def imports_of(name: str) -> frozenset[str]:
    """Return our own modules that *name* imports, anywhere in it."""
    found = set()
    for node in nodes_of(name):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports by a relative name"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else str(node.module))
    return frozenset(item for item in found if item.partition(".")[0] == "msframework")


def place_of(name: str) -> str:
    """Return the part of *name* that has a floor: a module's own, or its package's."""
    own = ".".join(name.split(".")[1:])
    return own if own in FLOOR else own.split(".")[0]


def test_every_place_has_one_floor():
    places = [place for names in FLOORS for place in names.split()]

    assert sorted(places) == sorted(set(places))


def test_every_module_has_a_floor():
    assert {place_of(name) for name in INNER} - FLOOR.keys() == set()


def faults(look, names=MODULES):
    """Return what `look(name)` finds in each of the modules *names* where it finds something."""
    return {name: found for name in names if (found := look(name))}


def test_imports_go_down_or_sideways():
    def upwards(name):
        return [
            imported
            for imported in imports_of(name)
            if imported != "msframework" and FLOOR[place_of(imported)] > FLOOR[place_of(name)]
        ]

    assert faults(upwards, INNER) == {}


def test_the_document_is_made_of_operations_not_of_what_compiles_them():
    def compilers(name):
        return [imported for imported in imports_of(name) if place_of(imported) == "compile"]

    assert faults(compilers, [name for name in INNER if place_of(name) == "openapi"]) == {}


def test_nothing_inside_imports_the_root():
    def imported_from_root(name):
        return ["import msframework"] * ("msframework" in imports_of(name)) + [
            f"from {node.module} import {alias.name}"
            for node in nodes_of(name)
            if isinstance(node, ast.ImportFrom) and node.module == "msframework"
            for alias in node.names
            if f"msframework.{alias.name}" not in MODULES
        ]

    assert faults(imported_from_root, INNER) == {}


def test_there_is_no_import_circle():
    graph = {name: imports_of(name) - {name} for name in INNER}

    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as exc:
        pytest.fail(" imports ".join(reversed(exc.args[1])))


def test_a_module_is_not_too_long():
    lengths = {
        name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()
    }

    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def functions_of(name):
    """Yield the qualified name and the number of lines of each function of the module *name*."""

    def walk(node, path):
        for child in ast.iter_child_nodes(node):
            inner = path
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{path}.{child.name}"
                if not isinstance(child, ast.ClassDef):
                    yield inner, child.end_lineno - child.lineno + 1
            yield from walk(child, inner)

    yield from walk(tree_of(name), name.removeprefix("msframework."))


def test_a_function_fits_a_screen():
    long = {
        path for name in MODULES for path, lines in functions_of(name) if lines > LONGEST_FUNCTION
    }

    assert long - LONG_FUNCTIONS.keys() == set()
    mended = LONG_FUNCTIONS.keys() - long
    assert not mended, f"drop {sorted(mended)} from LONG_FUNCTIONS: they fit a screen, or are gone"


def aliases_of(node):
    """Return the names that *node* gives to types: `Row: TypeAlias = …`, `Row = dict[…]`."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        names = [node.target.id] if "TypeAlias" in ast.dump(node.annotation) else []
    elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp):
        names = [each.id for each in node.targets if isinstance(each, ast.Name)]
    else:
        names = []
    return [name for name in names if re.match(r"[A-Z]+[a-z]", name)]


def test_a_name_of_a_class_or_alias_means_one_thing():
    found = defaultdict(list)
    for name in MODULES:
        for node in tree_of(name).body:
            for each in [node.name] if isinstance(node, ast.ClassDef) else aliases_of(node):
                found[each].append(name.removeprefix("msframework."))
    homonyms = {name: " ".join(sorted(places)) for name, places in found.items() if places[1:]}

    new = {name: places for name, places in homonyms.items() if name not in HOMONYMS}
    assert not new, f"rename all but one of each: {new}"
    for name, places in HOMONYMS.items():
        now = " ".join(sorted(found[name]))
        assert now == places, (
            f"HOMONYMS has {name} in {places}, and it is in {now or 'no module'}: say that, or "
            "drop the entry where less than two are left"
        )


def test_a_module_says_what_it_is_for():
    silent = [name for name in MODULES if not (ast.get_docstring(tree_of(name)) or "").strip()]

    assert silent == []


def test_no_function_writes_global_names():
    def lines(name):
        return [node.lineno for node in nodes_of(name) if isinstance(node, ast.Global)]

    assert faults(lines) == {}


def test_only_codegen_runs_generated_source():
    def lines(name):
        return [
            node.lineno
            for node in nodes_of(name)
            if isinstance(node, ast.Name) and node.id in ("exec", "eval")
        ]

    assert faults(lines).keys() == {"msframework._codegen"}


# What comments and docstrings cite: files, and names in backticks. A word without an underscore or
# a second capital may be anybody's.
_FILE = re.compile(
    r"(?<![\w/.<{-])((?:[\w-]+/)*[\w-]+\.(?:py|md|toml|txt|yml|html))\b(?!\()"
).findall
_QUOTED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)").findall
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+").fullmatch
_NAME = re.compile(
    r"_?[a-z]+(?:_[a-z0-9]+)+|_[a-z]\w*|_?[A-Z]+(?:_[A-Z]+)+|_?[A-Z][a-z]+(?:[A-Z]\w*)+"
).fullmatch


@cache
def tokens_of(name):
    """Return the tokens of the module *name*."""
    source = MODULES[name].read_text(encoding="utf-8")
    return list(tokenize.generate_tokens(io.StringIO(source).readline))


@cache
def prose_of(name):
    """Return the comments and docstrings of the module *name*, each with its line."""
    found = [
        (token.start[0], token.string)
        for token in tokens_of(name)
        if token.type == tokenize.COMMENT
    ]
    for node in nodes_of(name):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                found.append((node.body[0].lineno, docstring))
    return found


@cache
def words_of_code():
    """Return all words of the package's code and of its texts, without comments and docstrings."""
    found = set()
    for name in MODULES:
        docstrings = {line for line, text in prose_of(name) if not text.startswith("#")}
        for token in tokens_of(name):
            if token.type == tokenize.NAME or (
                token.type == tokenize.STRING and token.start[0] not in docstrings
            ):
                found |= set(re.findall(r"\w+", token.string))
    return found


def test_every_file_that_is_cited_exists():
    def missing(name):
        folders = (ROOT, PACKAGE, MODULES[name].parent)
        return [
            f"line {line}: {file}"
            for line, text in prose_of(name)
            for file in _FILE(text)
            if file not in FILES_ELSEWHERE and not any((each / file).exists() for each in folders)
        ]

    assert faults(missing) == {}


def test_every_name_that_is_cited_exists():
    ours = {part for each in MODULES for part in each.split(".")}
    known = words_of_code() | ours | CITED_ELSEWHERE

    def missing(name):
        found = []
        for line, text in prose_of(name):
            for quoted in _QUOTED(text):
                cited = quoted.removesuffix("()")
                dotted = _DOTTED(cited) and cited.split(".")[0] in ours
                parts = cited.split(".") if dotted else [cited]
                if parts[1:] or _NAME(cited):
                    found += [f"line {line}: {quoted}" for part in parts if part not in known]
        return found

    assert faults(missing) == {}


# Imports every module in a running loop, and prints what any of them did besides.
WATCH_IMPORTS = """
import asyncio, importlib, logging.config, os, sys, threading

settings, modules = (argument.split() for argument in sys.argv[1:])
watched = {"socket.__new__", "socket.bind", "socket.connect", "subprocess.Popen", "os.fork"}
current, done = "", []


class Environ(dict):
    def __getitem__(self, name):
        if name in settings:
            done.append(f"{current} reads {name}")
        return super().__getitem__(name)

    def get(self, name, default=None):
        return self[name] if name in self else default

    def __contains__(self, name):
        if name in settings:
            done.append(f"{current} looks for {name}")
        return super().__contains__(name)


def watch(event, arguments):
    if event in watched:
        done.append(f"{current} does {event}")


def configure(*arguments, **options):
    done.append(f"{current} configures logging")


async def main():
    global current
    for current in modules:
        importlib.import_module(current)
        if len(asyncio.all_tasks()) > 1:
            done.append(f"{current} creates a task")
        if threading.active_count() > 1:
            done.append(f"{current} starts a thread")
        if logging.getLogger().handlers:
            done.append(f"{current} gives the root logger a handler")
        if any(name.partition(".")[0] == "settings" for name in sys.modules):
            done.append(f"{current} imports a settings module")


os.environ = Environ(os.environ)
logging.config.dictConfig = logging.config.fileConfig = logging.basicConfig = configure
loop = asyncio.new_event_loop()
sys.addaudithook(watch)
loop.run_until_complete(main())
print(*done[:20], sep="\\n", end="")
"""


def test_importing_does_nothing():
    settings = [f"{name}{end}" for name in (*declarations(), *aliases()) for end in ("", "_FILE")]
    result = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            WATCH_IMPORTS,
            " ".join([*settings, MODULE_VARIABLE]),
            " ".join(MODULES),
        ],
        cwd=ROOT,
        env=environment(watched=False),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.stdout, result.returncode) == ("", 0), result.stderr
