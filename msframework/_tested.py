"""Whether our ways around a library's API may be taken: its version, its names, who else looks.

Where a library is another than those that were tested, or lacks a name that it never promised, its
own way is taken, with one warning; where there is none, a service is refused with a message that
says what to install. Runs at start-up, and when a connection or a session is opened.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version as installed_version
from types import FunctionType
from typing import Any, Final

from msframework.exceptions import ImproperlyConfigured

# What the versions begin with that our ways were tested with.
TESTED: Final[Mapping[str, tuple[str, ...]]] = {
    "aiohttp": ("3.14.",),
    "asyncpg": ("0.32.",),
    "marshmallow": ("4.4.",),
    "msgspec": ("0.22.", "0.23."),
    "peewee": ("4.5.",),
    "sanic": ("25.12.",),
}
_SLOTS: Final = (
    "_ctx _id _match_info _name _parsed_url _protocol _request_middleware_started"
    " _response_middleware_started _stream_id app body conn_info head headers method parsed_accept"
    " parsed_args parsed_cookies parsed_credentials parsed_files parsed_form parsed_forwarded"
    " parsed_json parsed_not_grouped_args parsed_token raw_url responded route stream transport"
    " version"
)


def _members(owner: str, names: str) -> tuple[str, ...]:
    return tuple(f"{owner}.{name}" for name in names.split())


# The names that our ways use and that a library promises nobody; without one, its own way is taken.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "aiohttp": (
        *_members("aiohttp.connector:BaseConnector", "_factory _get connect"),
        *_members("aiohttp.connector:Connection", "protocol transport add_callback release"),
        *_members(
            "aiohttp.client_proto:ResponseHandler",
            "_buffer _loop _pause_transport_reading _payload _reading_paused"
            " _resume_transport_reading _skip_payload exception read set_exception"
            " set_response_params should_close",
        ),
        *_members(
            "aiohttp:StreamReader", "_high_water_chunks _timer _wait feed_data feed_eof readany"
        ),
        *_members("aiohttp.http:RawResponseMessage", "code compression"),
        *_members("aiohttp.compression_utils:BrotliDecompressor", "_obj decompress_sync"),
        "aiohttp:EMPTY_PAYLOAD",
        *_members("aiohttp:ClientRequest", "connection_key"),
        *_members("aiohttp:ClientResponse", "_body _real_url _request_info _url start"),
        *_members("aiohttp:ClientSession", "_retry_connection"),
    ),
    "asyncpg": (
        *_members("asyncpg:Connection", "_protocol _transport"),
        *_members("asyncpg.prepared_stmt:PreparedStatement", "_state get_name"),
        *_members(
            "asyncpg.protocol.protocol:BaseProtocol",
            "_is_cancelling bind_execute get_settings query",
        ),
        *_members(
            "asyncpg.protocol.protocol:ConnectionSettings",
            "add_python_codec remove_python_codec",
        ),
    ),
    "marshmallow": (
        *_members(
            "marshmallow:Schema",
            "_call_and_store _declared_fields _deserialize _do_load _hooks _invoke_dump_processors"
            " _invoke_field_validators _invoke_load_processors _invoke_processors"
            " _invoke_schema_validators _run_validator _serialize",
        ),
        "marshmallow.fields:Pluck._field_data_key",
        "marshmallow.fields:_TemporalField",
        "marshmallow.error_store:ErrorStore",
        "marshmallow.error_store:copy_containers",
        "marshmallow.error_store:merge_errors",
    ),
    "sanic": (
        *_members("sanic.request:Request", f"_current {_SLOTS}"),
        *_members("sanic.http:Http", "init_for_request perft0 response_func"),
        *_members(
            "sanic.server.protocols.http_protocol:HttpProtocol",
            "_can_write _data_received _http _time access_log conn_info state",
        ),
    ),
}
# Those for which there is no other way, by what can't be done without them.
REQUIRED: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("marshmallow", "reading schemas"): ("marshmallow:Schema._hooks",),
    ("peewee", "a JSON column"): (
        *_members("peewee:JSONField", "_db_hook _helper _read _wrap"),
        *_members("peewee:PostgresqlJSONMethods", "_jsonb_wrap cast_for_case"),
    ),
    ("peewee", "an array column"): ("playhouse.postgres_ext:ArrayField._ArrayField__field",),
    ("peewee", "a listing by cursors"): (
        "peewee:Join._on",
        "peewee:Query._order_by",
        *_members(
            "peewee:Select",
            "_distinct _for_update _from_list _group_by _having _returning _simple_distinct"
            " _windows",
        ),
    ),
    ("peewee", "rendering a query"): (
        *_members("peewee:Context", "_sql _values literal sql state value"),
        *_members("peewee:PostgresqlDatabase", "context_class get_context_options param"),
    ),
    ("sanic", "serving"): (
        *_members(
            "sanic:Sanic",
            "_apply_route _determine_error_format _get_file_path _loop_add_task _prep_task"
            " _run_request_middleware _run_response_middleware _static_request_handler"
            " _websocket_handler",
        ),
        "sanic.handlers:ErrorHandler._lookup",
        *_members(
            "sanic.http:Http",
            "_receive_more _send create_empty_request head_response_ignored http1"
            " http1_request_header http1_response_header init_for_request perft0 recv_buffer"
            " request_body request_bytes request_bytes_left request_max_size response_func"
            " response_size upgrade_websocket",
        ),
        "sanic.request:Request._current",
        "sanic.response:HTTPResponse._cookies",
        *_members(
            "sanic.server.protocols.http_protocol:HttpProtocol",
            "_http _task _time check_timeouts receive_more request_handler",
        ),
        *_members("sanic.router:Router", "_get _matchers"),
        "sanic_routing.route:Route._compile_regex",
    ),
}
logger = logging.getLogger("msframework")


def is_tested(
    logger: logging.Logger, library: str, version: str, tested: tuple[str, ...], way: str
) -> bool:
    """Return whether *version* begins like one of *tested*, and has `NAMES`; else warn.

    Args:
        logger: what warns.
        library: the name of the library.
        version: the one that is installed.
        tested: what the versions that were tested begin with.
        way: what is left out then.
    """
    missing = missing_names(library.lower())
    if missing:
        logger.warning(
            "%s needs %s, which %s %s lacks; %s's own way is used",
            way,
            " and ".join(missing),
            library,
            version,
            library,
        )
        return False
    if version.startswith(tested):
        return True
    logger.warning(
        "%s was not tested with %s %s; %s's own way is used", way, library, version, library
    )
    return False


@cache
def supports(library: str, way: str) -> bool:
    """Return `is_tested` of the installed *library*, which is asked once."""
    return is_tested(logger, library, _version_of(library), TESTED[library], way)


def demand(library: str, what: str) -> None:
    """Refuse a *library* without the names that are `REQUIRED` for *what*.

    Raises:
        ImproperlyConfigured: some are missing.
    """
    missing = [name for name in REQUIRED[library, what] if not exists(name)]
    if missing:
        raise ImproperlyConfigured(
            f"{library} {_version_of(library)} lacks {' and '.join(missing)}: {what} is not "
            f"possible. Install a version that msframework was tested with: {library} "
            f"{' or '.join(f'{start}*' for start in TESTED[library])}."
        )


def missing_names(library: str) -> tuple[str, ...]:
    """Return those of the `NAMES` of *library* that it lacks."""
    return tuple(name for name in NAMES.get(library, ()) if not exists(name))


def exists(name: str) -> bool:
    """Tell whether there is *name*: `module:attribute`, or `module:Class.attribute`.

    One that methods of the class set or read counts as well, since instances have it.
    """
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ImportError:
        return False
    for part in path.split("."):
        if isinstance(found, type) and not hasattr(found, part):
            return part in _named_by(found)
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


def _named_by(cls: type) -> Iterable[str]:
    """Return the attributes that the methods of *cls* name."""
    methods = (value for each in cls.__mro__ for value in vars(each).values())
    return {
        name
        for method in methods
        if isinstance(method, FunctionType)
        for name in method.__code__.co_names
    }


def _version_of(library: str) -> str:
    return getattr(sys.modules.get(library), "__version__", "") or installed_version(library)


def is_untouched(*classes: type) -> bool:
    """Return whether all methods of *classes* are those that their library came with.

    Instrumentations (OpenTelemetry's, Sentry's, …) put functions of their own in the place of
    methods, and would see nothing of a call that goes around these.
    """
    return all(_has_own_methods(cls) for cls in classes)


def _has_own_methods(cls: type) -> bool:
    package = sys.modules[cls.__module__.partition(".")[0]].__file__ or ""
    own = (os.path.dirname(package), contextlib.__file__, "<")
    for value in vars(cls).values():
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        if type(value) is FunctionType:
            if not value.__code__.co_filename.startswith(own):
                return False
        elif isinstance(value, FunctionType):
            # NOTE: what stands in for a function may say that it is one, and is of another type.
            return False
    return True
