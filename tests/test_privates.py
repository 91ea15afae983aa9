"""Names of libraries that they promise to nobody: all that we use stand here, and still exist.

A name is private that begins with an underscore, or that its library's documentation lacks. The
first kind is found in the code; the second is listed by whoever uses it.
"""

import ast
import importlib
import re
from functools import cache

import pytest

from msframework._tested import NAMES, REQUIRED, exists
from tests.test_architecture import MODULES, PACKAGE, ROOT, faults, tree_of

DOCUMENTED = "its documentation has it"
FINISHED = "there will be no other version"
# By library: the names, and the files or folders of ours that use them. Before them stands what is
# done where a name is missing or the version is another: a fence, and the tests of the plain way or
# of the refusal; or why there is none.
PRIVATES = {
    "sanic": [
        (
            "serving.accept:supports_fast_path",
            "tests/serving/test_differential.py",
            {
                "sanic.request:Request._current": "serving/ log/formatter.py",
                **dict.fromkeys(
                    (
                        f"sanic.request:Request.{name}"
                        for name in (
                            *("_ctx", "_id", "_match_info", "_name", "_parsed_url", "_protocol"),
                            *("_request_middleware_started", "_response_middleware_started"),
                            "_stream_id",
                        )
                    ),
                    "serving/request.py",
                ),
                "sanic.server.protocols.http_protocol:HttpProtocol._can_write": "serving/",
                "sanic.server.protocols.http_protocol:HttpProtocol._data_received": (
                    "serving/protocol.py"
                ),
            },
        ),
        (
            "_tested:demand",
            "tests/test_fences.py",
            {
                "sanic:Sanic._apply_route": "registration.py",
                "sanic:Sanic._determine_error_format": "registration.py routing.py",
                "sanic:Sanic._get_file_path": "serving/files.py",
                "sanic:Sanic._loop_add_task": "serving/handling.py",
                "sanic:Sanic._prep_task": "serving/handling.py",
                "sanic:Sanic._run_request_middleware": "serving/handling.py",
                "sanic:Sanic._run_response_middleware": "serving/handling.py",
                "sanic:Sanic._static_request_handler": "serving/files.py",
                "sanic:Sanic._websocket_handler": "serving/handling.py",
                "sanic.handlers:ErrorHandler._lookup": "errors.py",
                "sanic.http:Http._receive_more": "serving/strict.py",
                "sanic.http:Http._send": "serving/sending.py serving/strict.py",
                "sanic.response:HTTPResponse._cookies": "serving/answer.py",
                "sanic.router:Router._get": "serving/router.py",
                "sanic.router:Router._matchers": "serving/router.py",
                "sanic.server.protocols.http_protocol:HttpProtocol._http": "serving/",
                "sanic.server.protocols.http_protocol:HttpProtocol._task": "serving/",
                "sanic.server.protocols.http_protocol:HttpProtocol._time": "serving/",
                "sanic_routing.route:Route._compile_regex": "serving/router.py",
            },
        ),
        (
            "tests find two services of one name",
            "tests/testing/test_plugin.py",
            {"sanic:Sanic._app_registry": "testing/"},
        ),
    ],
    "asyncpg": [
        (
            "db.statement_cache:supports_direct",
            "tests/db/test_openings.py",
            {
                "asyncpg:Connection._protocol": "db/",
                "asyncpg:Connection._transport": "db/",
                "asyncpg.prepared_stmt:PreparedStatement._state": "db/",
                "asyncpg.protocol.protocol:BaseProtocol._is_cancelling": "db/",
            },
        ),
    ],
    "aiohttp": [
        (
            "client.lean:supports_lean",
            "tests/client/test_lean.py",
            {
                "aiohttp.connector:BaseConnector._factory": "client/",
                "aiohttp.connector:BaseConnector._get": "client/",
                "aiohttp.client_proto:ResponseHandler._buffer": "client/",
                "aiohttp.client_proto:ResponseHandler._loop": "client/",
                "aiohttp.client_proto:ResponseHandler._pause_transport_reading": "client/",
                "aiohttp.client_proto:ResponseHandler._payload": "client/",
                "aiohttp.client_proto:ResponseHandler._reading_paused": "client/",
                "aiohttp.client_proto:ResponseHandler._resume_transport_reading": "client/",
                "aiohttp.client_proto:ResponseHandler._skip_payload": "client/",
                "aiohttp.compression_utils:BrotliDecompressor._obj": "client/packed.py",
                "aiohttp:StreamReader._high_water_chunks": "client/protocol.py",
                "aiohttp:StreamReader._timer": "client/packed.py",
                "aiohttp:StreamReader._wait": "client/packed.py",
                "aiohttp:ClientResponse._body": "client/",
                "aiohttp:ClientResponse._real_url": "client/",
                "aiohttp:ClientResponse._request_info": "client/",
                "aiohttp:ClientResponse._url": "client/",
                "aiohttp:ClientSession._retry_connection": "client/",
            },
        ),
    ],
    "marshmallow": [
        (
            "_tested:supports",
            "tests/test_fences.py",
            {
                "marshmallow:Schema._invoke_dump_processors": "codec/",
                "marshmallow:Schema._invoke_field_validators": "codec/",
                "marshmallow:Schema._invoke_load_processors": "codec/",
                "marshmallow:Schema._invoke_schema_validators": "codec/",
                "marshmallow:Schema._call_and_store": "codec/",
                "marshmallow:Schema._declared_fields": "codec/ collection/",
                "marshmallow:Schema._do_load": "codec/",
                "marshmallow:Schema._invoke_processors": "codec/",
                "marshmallow:Schema._run_validator": "codec/",
                "marshmallow.fields:Pluck._field_data_key": "codec/",
                "marshmallow.fields:_TemporalField": "codec/",
            },
        ),
        (
            "_tested:demand",
            "tests/test_fences.py",
            {"marshmallow:Schema._hooks": "collection/ compile/ openapi/ codec/"},
        ),
        (
            DOCUMENTED,
            "",
            {
                "marshmallow.fields:Field._bind_to_schema": "codec/ schemas/",
                "marshmallow.fields:Field._deserialize": "compile/ codec/ schemas/",
                "marshmallow.fields:Field._serialize": "openapi/ codec/ schemas/",
                "marshmallow.fields:Number._format_num": "schemas/",
                "marshmallow.fields:Number._validated": "schemas/",
                "marshmallow.validate:Validator._repr_args": "schemas/",
                "marshmallow.validate:Range._format_error": "codec/",
            },
        ),
    ],
    "peewee": [
        (
            "_tested:demand",
            "tests/test_fences.py",
            {
                "peewee:Context._sql": "migrations/nodes.py models/context.py",
                "peewee:Context._values": "models/context.py",
                "peewee:Join._on": "pagination/",
                "peewee:Query._order_by": "pagination/",
                **dict.fromkeys(
                    (
                        f"peewee:Select.{name}"
                        for name in (
                            *("_distinct", "_for_update", "_from_list", "_group_by", "_having"),
                            *("_returning", "_simple_distinct", "_windows"),
                        )
                    ),
                    "pagination/",
                ),
                "peewee:JSONField._db_hook": "models/base.py",
                "peewee:JSONField._helper": "models/base.py",
                "peewee:JSONField._read": "models/base.py",
                "peewee:JSONField._wrap": "models/base.py",
                "peewee:PostgresqlJSONMethods._jsonb_wrap": "models/base.py",
                "peewee:Insert._insert": "models/sql.py",
                "peewee:Insert._columns": "models/sql.py",
                "peewee:Update._update": "models/sql.py models/base.py",
                "playhouse.postgres_ext:ArrayField._ArrayField__field": "migrations/ schemas/",
            },
        ),
        (
            "models.sql:_choose_reader",
            "tests/models/test_shape.py",
            {"peewee:_Namespace._name": "models/shape.py management/advice.py"},
        ),
        (
            "without them a message names no key, and no index counts as unique",
            "tests/models/test_key.py",
            {
                "peewee:Index._expressions": "models/key.py",
                "peewee:Index._unique": "models/key.py",
                "peewee:Index._where": "models/key.py",
                "peewee:Query._where": "models/key.py",
            },
        ),
        (
            DOCUMENTED,
            "",
            {
                "peewee:Model._meta": (
                    "collection/ db/ filters/ management/ migrations/ models/ pagination/ schemas/"
                )
            },
        ),
    ],
    "opentracing": [
        (
            FINISHED,
            "",
            {
                "opentracing:Span._on_error": "tracing/",
                "opentracing:Scope._manager": "tracing/",
                "opentracing:Scope._span": "tracing/",
                "opentracing:Span._tracer": "tracing/",
                "opentracing:Tracer._scope_manager": "tracing/",
            },
        ),
    ],
    "python": [
        (
            DOCUMENTED,
            "",
            {
                "sys:_getframe": "_place.py",
                "collections:namedtuple._replace": "registration.py",
                "collections:namedtuple._fields": "codec/",
            },
        ),
        (
            "the tests of that file find its effect",
            "tests/management/test_supervisor.py",
            {"atexit:_run_exitfuncs": "management/worker.py"},
        ),
    ],
}
# Our own, which a library happens to have as well.
OURS = {"db/": ("_release", "_request"), "testing/budget.py": ("_session",)}

_PRIVATE = re.compile(r"_[A-Za-z]\w*").fullmatch


def listed():
    """Return every name of the list, with the places that use it."""
    return [
        found for groups in PRIVATES.values() for _, _, names in groups for found in names.items()
    ]


def file_of(name):
    """Return the file of the module *name*, below the package."""
    return MODULES[name].relative_to(PACKAGE).as_posix()


@cache
def nodes_of(name):
    """Return all nodes of the syntax tree of the module *name*."""
    return tuple(ast.walk(tree_of(name)))


@cache
def defined_by(name):
    """Return the names that the module *name* defines, its objects' attributes among them."""
    return defined_in(nodes_of(name))


def defined_in(nodes):
    """Return the names that *nodes* of syntax define."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                found.add(node.attr)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
            found |= {each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant)}
    return found


def asked_for(node):
    """Return the attribute that a node of syntax gets by its name, `None` where it does not."""
    if isinstance(node, ast.Attribute):
        return node.attr
    named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) > 1
    if named and node.func.id in ("getattr", "hasattr", "setattr"):
        name = node.args[1]
        return name.value if isinstance(name, ast.Constant) else None
    return None


def asks_above(node):
    """Tell whether a node of syntax gets an attribute of `super()`."""
    call = node.value if isinstance(node, ast.Attribute) else None
    return isinstance(call, ast.Call) and getattr(call.func, "id", "") == "super"


@cache
def our_names():
    """Return all names that some module of ours defines."""
    return set().union(*map(defined_by, MODULES))


@cache
def their_names():
    """Return the private names of the classes that the list knows."""
    owners = {name.rpartition(".")[0] for name, _ in listed() if ":" in name.rpartition(".")[0]}
    found = set()
    for owner in owners:
        module, _, cls = owner.partition(":")
        thing = getattr(importlib.import_module(module), cls)
        if isinstance(thing, type):
            found |= names_of(thing)
    return found


@cache
def names_of(cls):
    """Return the private names that *cls* has, or that its methods use."""
    found = set()
    for each in cls.__mro__:
        for name, value in vars(each).items():
            found |= {name, *getattr(getattr(value, "__code__", None), "co_names", ())}
    return set(filter(_PRIVATE, found))


def uses_in(name):
    """Return the private names of others that the module *name* uses."""
    own, found = defined_by(name), set()
    for node in nodes_of(name):
        asked = asked_for(node)
        if asked is not None and _PRIVATE(asked) and (asked not in own or asks_above(node)):
            found.add(asked)
        if isinstance(node, ast.ImportFrom) and not node.module.startswith("msframework"):
            found |= {alias.name for alias in node.names if _PRIVATE(alias.name)}
    found = {each for each in found if each not in our_names() or each in their_names()}
    return found | overridden_in(name)


def overridden_in(name):
    """Return the private names that classes of the module *name* share with a library's."""
    module, found = importlib.import_module(name), set()
    for node in tree_of(name).body:
        cls = getattr(module, node.name, None) if isinstance(node, ast.ClassDef) else None
        if not isinstance(cls, type):
            continue
        bases = [each for each in cls.__mro__ if each.__module__.partition(".")[0] in packages()]
        nodes = tuple(ast.walk(node)) if bases else ()
        used = defined_in(nodes) | {
            each.attr
            for each in nodes
            if isinstance(each, ast.Attribute) and getattr(each.value, "id", "") == "self"
        }
        for base in bases:
            found |= {each for each in used if _PRIVATE(each) and each in names_of(base)}
    return found


@cache
def packages():
    """Return the packages of the libraries that the list knows."""
    found = {re.split(r"[.:]", name)[0] for name, _ in listed()}
    return found - {"collections", "sys"}


def places_of(used):
    """Return the places where the list has a private name."""
    return [
        place
        for name, places in listed()
        if re.split(r"[.:]", name)[-1] == used
        for place in places.split()
    ]


def is_in(file, place):
    """Tell whether *file* is *place*, or lies in that folder."""
    return file == place or (place.endswith("/") and file.startswith(place))


def test_every_private_name_is_listed():
    def unlisted(name):
        file = file_of(name)
        ours = [names for place, names in OURS.items() if is_in(file, place)]
        uses = uses_in(name).difference(*ours)
        return [used for used in uses if not any(is_in(file, place) for place in places_of(used))]

    found = faults(unlisted)
    assert not found, f"list them in PRIVATES, with what they belong to: {found}"


@pytest.mark.parametrize("name", [name for name, _ in listed() if "namedtuple" not in name])
def test_every_listed_name_exists(name):
    assert exists(name)


@pytest.mark.parametrize(("name", "places"), listed())
def test_every_listed_name_is_used(name, places):
    used = re.split(r"[.:]", name)[-1]
    files = [file_of(module) for module in MODULES if used in words_of(module)]

    unused = [place for place in places.split() if not any(is_in(file, place) for file in files)]
    unused = [place for place in unused if (PACKAGE / place).exists()]
    assert not unused, f"{name} is not used in {unused} any more: drop that from PRIVATES"


@cache
def words_of(name):
    """Return the words that the source of the module *name* has."""
    return frozenset(re.findall(r"\w+", MODULES[name].read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("fence", "tests"),
    sorted({(fence, tests) for groups in PRIVATES.values() for fence, tests, _ in groups if tests}),
)
def test_every_fence_exists_and_is_tested(fence, tests):
    assert (ROOT / tests).is_file()
    if ":" in fence:
        assert exists(f"msframework.{fence}")


@pytest.mark.parametrize("library", sorted(NAMES.keys() | {library for library, _ in REQUIRED}))
def test_what_a_fence_looks_for_is_listed(library):
    names = {*NAMES.get(library, ())}
    for (demanding, _), required in REQUIRED.items():
        names |= {*required} if demanding == library else set()
    private = {re.split(r"[.:]", name)[-1] for name in names} & set(filter(_PRIVATE, words()))

    assert private <= {re.split(r"[.:]", name)[-1] for name, _ in listed()}


def words():
    """Return the last words of all names that fences look for."""
    names = [*NAMES.values(), *REQUIRED.values()]
    return [re.split(r"[.:]", name)[-1] for group in names for name in group]
