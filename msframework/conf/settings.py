"""The settings of a service, one frozen value a subsystem.

Each field carries the name that a settings module (or the environment) gives it and one line of
help; `conf.loader` reads both. Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msframework.conf.declare import Pair, setting
from msframework.conf.operations import OperationsSettings
from msframework.cors import ACCEPTED, CORS, EXPOSED, MAX_AGE


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How HTTP is served; times in seconds, sizes in bytes."""

    host: str = setting(
        "HOST",
        "127.0.0.1",
        "address to listen on; unix:/path of a socket, fd:3 if inherited",
    )
    port: int = setting("PORT", 8000, "port to listen on", least=0, most=65535)
    workers: int | None = setting(
        "WORKERS", None, "supervised worker processes; None is one process alone", least=1
    )
    allowed_hosts: Pair = setting(
        "ALLOWED_HOSTS",
        (),
        "hosts answered for, .example.com with all below; any if empty, loopback with DEBUG",
    )
    url_prefix: str = setting("URL_PREFIX", "", "path prefix of every route, behind a proxy")
    request_max_size: int = setting("REQUEST_MAX_SIZE", 10_000_000, "largest body", least=1)
    request_max_head_size: int = setting(
        "REQUEST_MAX_HEAD_SIZE", 16_384, "largest request line and headers together", least=256
    )
    request_max_target_size: int = setting(
        "REQUEST_MAX_TARGET_SIZE", 8192, "longest path and query", least=64
    )
    request_max_headers: int = setting("REQUEST_MAX_HEADERS", 100, "most headers", least=4)
    bodies_max_size: int = setting(
        "BODIES_MAX_SIZE", 100_000_000, "all bodies that one worker holds at once", least=1
    )
    request_timeout: float = setting(
        "REQUEST_TIMEOUT", 30.0, "time for the whole head of a request to arrive", least=0
    )
    body_timeout: float = setting(
        "BODY_TIMEOUT", 30.0, "longest pause of a body; slow ones use it up", least=0
    )
    body_min_rate: int = setting(
        "BODY_MIN_RATE", 500, "bytes a second that a body must keep up", least=1
    )
    write_timeout: float = setting(
        "WRITE_TIMEOUT", 30.0, "longest pause of a client that reads its answer", least=0
    )
    write_min_rate: int = setting(
        "WRITE_MIN_RATE", 500, "bytes a second that it must keep up", least=1
    )
    response_timeout: float = setting(
        "RESPONSE_TIMEOUT", 60.0, "time for a handler to begin its answer", least=0
    )
    keep_alive_timeout: float = setting(
        "KEEP_ALIVE_TIMEOUT", 120.0, "idle time of a connection", least=0
    )
    graceful_timeout: float = setting(
        "GRACEFUL_SHUTDOWN_TIMEOUT", 15.0, "time to finish at stop", least=0, most=86400
    )
    part_stop_timeout: float = setting(
        "PART_STOP_TIMEOUT", 5.0, "time for one part to stop", least=0, most=3600
    )
    proxies_count: int | None = setting(
        "PROXIES_COUNT", None, "proxies in front (X-Forwarded-For)", least=0
    )
    real_ip_header: str | None = setting("REAL_IP_HEADER", None, "header with the client's address")
    forwarded_secret: str | None = setting(
        "FORWARDED_SECRET", None, "secret of RFC 7239 Forwarded", secret=True
    )
    json_max_depth: int = setting("JSON_MAX_DEPTH", 64, "deepest nesting of a JSON body", least=1)
    max_errors: int = setting("MAX_ERRORS", 100, "errors told of one invalid input", least=1)
    max_fields: int = setting(
        "MAX_FIELDS", 1000, "most fields of a form, parameters of a query, cookies", least=1
    )
    max_field_size: int = setting(
        "MAX_FIELD_SIZE", 1_000_000, "largest field of a form that is no file", least=1
    )
    strict_query: bool = setting(
        "STRICT_QUERY", False, "names of a query that no input declares are refused by a 422"
    )
    fast_path: bool = setting("FAST_PATH", True, "our own ways under Sanic, aiohttp and msgspec")
    cors_origins: Pair = setting(
        "ACCESS_CONTROL_ALLOW_ORIGIN",
        (),
        "origins whose pages may read answers, such as https://*.example.com; * for any",
        takes_text=True,
    )
    cors_credentials: bool = setting(
        "ACCESS_CONTROL_ALLOW_CREDENTIALS", False, "pages may send cookies"
    )
    cors_headers: Pair = setting(
        "ACCESS_CONTROL_ALLOW_HEADERS",
        ACCEPTED,
        "headers pages may send, beside those of tracing and of authenticators",
        takes_text=True,
    )
    cors_methods: Pair = setting(
        "ACCESS_CONTROL_ALLOW_METHODS",
        (),
        "methods pages may use; all that a path has if empty",
        takes_text=True,
    )
    cors_expose: Pair = setting(
        "ACCESS_CONTROL_EXPOSE_HEADERS", EXPOSED, "headers pages may read", takes_text=True
    )
    cors_max_age: int = setting(
        "ACCESS_CONTROL_MAX_AGE", MAX_AGE, "time for which browsers may cache a preflight", least=0
    )
    cors_private_network: bool = setting(
        "ACCESS_CONTROL_ALLOW_PRIVATE_NETWORK",
        False,
        "pages from public networks may call this service in a private one",
    )
    security_headers: Mapping[str, Any] = setting(
        "SECURITY_HEADERS",
        {},
        "headers of every answer, beside X-Content-Type-Options; None leaves one out",
    )

    @property
    def is_proxied(self) -> bool:
        """Whether the settings say which proxy is believed about addresses."""
        return bool(self.proxies_count or self.real_ip_header or self.forwarded_secret)

    @property
    def cors(self) -> CORS:
        """The CORS declaration of the service."""
        return CORS(
            self.cors_origins,
            credentials=self.cors_credentials,
            headers=self.cors_headers,
            methods=self.cors_methods,
            expose=self.cors_expose,
            max_age=self.cors_max_age,
            private_network=self.cors_private_network,
        )


@dataclass(frozen=True, slots=True)
class TLSSettings:
    """The files of HTTPS, in PEM; runserver reads them again at SIGHUP."""

    cert: str | None = setting(
        "TLS_CERT", None, "path of the certificate with its intermediates, in PEM; serves HTTPS"
    )
    key: str | None = setting("TLS_KEY", None, "path of its private key")
    key_password: str | None = setting(
        "TLS_KEY_PASSWORD", None, "password of an encrypted key", secret=True
    )
    client_ca: str | None = setting(
        "TLS_CLIENT_CA", None, "path of the CA certificates that verify client certificates"
    )
    client_cert: str = setting(
        "TLS_CLIENT_CERT",
        "required",
        "with TLS_CLIENT_CA: whether every client needs a certificate",
        choices=("required", "optional"),
    )


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where PostgreSQL is, and how many connections one worker may hold."""

    url: str | None = setting("DATABASE_URL", None, "postgresql://… of the primary", secret=True)
    replicas: Pair = setting("DB_REPLICAS", (), "postgresql://… of each replica", secret=True)
    min_size: int = setting("DB_MIN_SIZE", 1, "connections opened at start", least=0)
    max_size: int = setting("DB_MAX_SIZE", 10, "most connections of one worker", least=1)
    acquire_timeout: float = setting(
        "DB_ACQUIRE_TIMEOUT", 5.0, "wait for a free connection", least=0.001
    )
    connect_timeout: float = setting(
        "DB_CONNECT_TIMEOUT", 5.0, "time to open a connection", least=0.001
    )
    command_timeout: float = setting("DB_COMMAND_TIMEOUT", 30.0, "longest statement", least=0.001)
    idle_timeout: float = setting(
        "DB_IDLE_TIMEOUT", 300.0, "unused connections close after this", least=0
    )
    max_lifetime: float = setting(
        "DB_MAX_LIFETIME", 3600.0, "connections are renewed after this", least=0
    )
    cursor_idle_timeout: float = setting(
        "DB_CURSOR_IDLE_TIMEOUT", 60.0, "idle streaming cursors", least=0
    )
    statement_cache_size: int = setting(
        "DB_STATEMENT_CACHE_SIZE",
        100,
        "prepared statements a connection; 0 behind PgBouncer",
        least=0,
    )
    pool: str = setting(
        "DB_POOL", "light", "'light' (ours) or 'asyncpg'", choices=("light", "asyncpg")
    )
    reset: str = setting(
        "DB_RESET",
        "auto",
        "'auto', or 'always' to reset at every return",
        choices=("auto", "always"),
    )
    probe_interval: float = setting(
        "DB_PROBE_INTERVAL", 5.0, "time between replica probes", least=0.001
    )
    max_lag: float = setting(
        "DB_MAX_LAG", 10.0, "a replica further behind is not read from", least=0
    )
    auto_migrate: bool = setting("AUTO_MIGRATE", False, "runserver applies pending migrations")
    migration_lock_timeout: float = setting(
        "MIGRATION_LOCK_TIMEOUT",
        0.1,
        "wait of a migration for one lock, and of others behind it; 0 for ever",
        least=0,
    )
    migration_lock_retries: int = setting(
        "MIGRATION_LOCK_RETRIES",
        30,
        "further attempts of a migration that did not get its locks",
        least=0,
    )
    migration_statement_timeout: float = setting(
        "MIGRATION_STATEMENT_TIMEOUT",
        30.0,
        "longest statement that holds others up, in a migration with atomic = False; 0 for ever",
        least=0,
    )


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """Sampling, the trust in callers, and the exporters of finished spans."""

    enabled: bool = setting("TRACING", True, "make spans")
    sample_rate: float = setting(
        "TRACE_SAMPLE_RATE", 1.0, "share of new traces kept, 0 to 1", least=0, most=1
    )
    sample_routes: Mapping[str, float] = setting(
        "TRACE_SAMPLE_ROUTES", {}, "other rates by 'GET /path/{id}'"
    )
    never: Pair = setting(
        "TRACE_NEVER",
        ("/health", "/healthz", "/live", "/livez", "/ready", "/readyz", "/metrics"),
        "paths that are never traced; the documents are not either",
    )
    trust_peers: Pair = setting(
        "TRUST_PEERS",
        ("sampled", "request_id"),
        "what callers may force: sampled, debug, baggage, request_id",
        choices=("sampled", "debug", "baggage", "request_id"),
    )
    baggage: Pair = setting("TRACE_BAGGAGE", (), "baggage keys that are passed on")
    propagation: Pair = setting(
        "TRACE_PROPAGATION",
        ("b3", "traceparent"),
        "headers sent: b3, b3multi, traceparent",
        choices=("b3", "b3multi", "traceparent"),
    )
    sql_arguments: bool = setting("TRACE_SQL_ARGUMENTS", False, "argument values in SQL spans")
    zipkin_server: str | None = setting(
        "ZIPKIN_SERVER", None, "http://host:9411/api/v2/spans; spans are posted here"
    )
    exporters: Pair = setting(
        "TRACE_EXPORTERS", (), "dotted paths of further exporters, called with the settings"
    )
    log_spans: bool = setting("TRACE_LOG", True, "spans as lines of the 'zipkin' log")
    queue_size: int = setting("TRACE_QUEUE_SIZE", 2048, "finished spans held at most", least=1)
    batch_size: int = setting("TRACE_BATCH_SIZE", 256, "spans in one batch at most", least=1)
    batch_bytes: int = setting("TRACE_BATCH_BYTES", 500_000, "bytes of one POST at most", least=1)
    flush_interval: float = setting(
        "TRACE_FLUSH_INTERVAL", 1.0, "longest time to a batch", least=0.001
    )
    export_timeout: float = setting(
        "TRACE_EXPORT_TIMEOUT", 2.0, "one POST to the collector", least=0.001
    )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The format and the streams of log lines, and the values that are kept out of them."""

    config: str | None = setting("LOGGING_CONFIG", None, "path of logging.yml")
    format: str = setting(
        "LOG_FORMAT",
        "auto",
        "lines as 'json' or 'text'; 'auto' is text on a terminal",
        choices=("auto", "json", "text"),
    )
    access: bool = setting("ACCESS_LOG", True, "one line for each request")
    redact: Pair = setting(
        "REDACT",
        ("password", "token", "authorization", "cookie", "secret"),
        "keys whose values are never written",
    )


@dataclass(frozen=True, slots=True)
class OpenAPISettings:
    """The document of the service and the page that shows it."""

    enabled: bool = setting("OPENAPI", True, "serve /openapi/spec.json and the docs page")
    version: str = setting(
        "OPENAPI_VERSION", "3.1", "'2.0', '3.0' or '3.1'", choices=("2.0", "3.0", "3.1")
    )
    url: str = setting("OPENAPI_URL", "/openapi/spec.json", "where the document is served")
    docs_url: str | None = setting("DOCS_URL", "/docs", "where Swagger UI is served")
    info: Mapping[str, Any] = setting(
        "SWAGGER", {}, "title, version, description, contact, license, servers, tags, …"
    )
    guards: tuple[Any, ...] = setting(
        "OPENAPI_GUARDS", (), "guards of the document and its page, or their dotted paths"
    )
    security_schemes: Mapping[str, Any] = setting(
        "SECURITY_SCHEMES", {}, "OpenAPI security schemes by name"
    )


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """The authenticators, and the guards of all operations."""

    authenticators: Mapping[str, Any] = setting(
        "AUTHENTICATORS", {}, "authenticators by name, or their dotted paths", secret=True
    )
    guards: tuple[Any, ...] = setting(
        "GUARDS", (), "guards of every operation, or their dotted paths"
    )


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One entry of `SERVICES`: another service that this one calls; times in seconds."""

    name: str
    url: str
    total_timeout: float = 2.0
    connect_timeout: float = 0.5
    limit: int = 100
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a service was told at start-up; `create_app` takes this or a module's name."""

    module: str = ""
    debug: bool = setting("DEBUG", False, "development: embedded database, tracebacks in answers")
    service_name: str = setting(
        "SERVICE_NAME", "msframework", "name in logs, spans and documents", alias="APP_ID"
    )
    installed_apps: Pair = setting("INSTALLED_APPS", (), "packages with resources and models")
    envelope: str | None = setting(
        "ENVELOPE", "msframework.envelope.DefaultEnvelope", "dotted path, or None for bare bodies"
    )
    sensitive_fields: Pair = setting(
        "SENSITIVE_FIELDS",
        ("password", "password_hash", "secret", "token"),
        "no schema made of a model dumps them, and no filter, order or search names them",
    )
    services: Mapping[str, ServiceEntry] = setting("SERVICES", {}, "other services: name → url")
    configure: str | None = setting(
        "CONFIGURE", None, "dotted path of a function that create_app calls with the service"
    )
    extra: Mapping[str, Any] = setting("EXTRA", {}, "settings of your own", secret=True)
    extra_schema: Mapping[str, Any] = setting(
        "EXTRA_SCHEMA", {}, "name → type of each setting in EXTRA, for a check and EXTRA_<NAME>"
    )
    server: ServerSettings = field(default_factory=ServerSettings)
    tls: TLSSettings = field(default_factory=TLSSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    tracing: TracingSettings = field(default_factory=TracingSettings)
    log: LogSettings = field(default_factory=LogSettings)
    openapi: OpenAPISettings = field(default_factory=OpenAPISettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    operations: OperationsSettings = field(default_factory=OperationsSettings)

    @property
    def is_measured(self) -> bool:
        """Whether requests and parts are counted: somebody can read `/metrics`."""
        return self.debug or self.operations.port is not None
