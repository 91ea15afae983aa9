"""A PostgreSQL for development and tests, started when no database is configured. Runs at start-up.

One server belongs to one checkout and is shared by its processes. It outlives them, and is ended by
`manage.py db stop`. There is no TCP port: it is reached through a socket in a directory that only
its owner may enter, which is also why no password is asked.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from msframework.conf.settings import Settings
from msframework.db.cluster import MAJOR, PORT, SUPERUSER, Cluster
from msframework.db.home import Home, claim_home, find_home, make_home
from msframework.exceptions import ImproperlyConfigured

_PATIENCE = 30.0  # seconds for a server that lives and does not answer, before it is ended


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """What can be said of an embedded server without starting it."""

    running: bool
    url: str | None
    data: Path | None
    log: Path | None

    def __str__(self) -> str:
        if self.data is None:
            return "never started here"
        state = "running" if self.running else "stopped"
        return f"{state}\nurl   {self.url}\ndata  {self.data}\nlog   {self.log}"


class EmbeddedServer:
    """The embedded PostgreSQL of the checkout at *root*."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def start(self) -> str:
        """Return the URL of a server that takes connections, started if need be.

        Raises:
            ImproperlyConfigured: it cannot be started; says why and what to do.
        """
        while True:
            home = find_home(self.root) or make_home(self.root)
            with home.lock() as lock:
                known = find_home(self.root)
                if known is not None and known != home:
                    continue  # another process of this checkout found a home first
                cluster = Cluster(home)
                if known is None:  # a checkout at this path is gone, its server may not be
                    cluster.halt()
                    cluster.wipe()
                    claim_home(self.root, home)
                self._bring_up(cluster, lock)
                return _url(home)

    @staticmethod
    def _bring_up(cluster: Cluster, lock: int) -> None:
        if cluster.answers():
            return
        cluster.home.prepare()
        if cluster.lives():  # starting, recovering, stopping, or moved away from its socket
            try:
                cluster.wait(_PATIENCE)
                return
            except ImproperlyConfigured:
                cluster.halt()
        cluster.initialise(lock)
        cluster.launch()

    def stop(self) -> bool:
        """Stop the server; says whether there was one running.

        Raises:
            ImproperlyConfigured: its processes could not be ended.
        """
        home = find_home(self.root)
        if home is None:
            return False
        with home.lock():
            cluster = Cluster(home)
            lived = cluster.lives()
            cluster.halt()
            return lived

    def reset(self) -> None:
        """Stop the server and throw its data away; the next start makes an empty one.

        Raises:
            ImproperlyConfigured: its processes could not be ended.
        """
        home = find_home(self.root)
        if home is None:
            return
        with home.lock():
            cluster = Cluster(home)
            cluster.halt()
            cluster.wipe()

    def status(self) -> ClusterStatus:
        """Say how the server is, without starting it."""
        home = find_home(self.root)
        if home is None:
            return ClusterStatus(False, None, None, None)
        return ClusterStatus(Cluster(home).answers(), _url(home), home.data, home.log)

    @property
    def url(self) -> str:
        """Where the server is reached, running or not.

        Raises:
            ImproperlyConfigured: it was never started.
        """
        home = find_home(self.root)
        if home is None:
            raise ImproperlyConfigured(
                f"The checkout {self.root} has no embedded PostgreSQL yet; `manage.py runserver`, "
                "`migrate`, `shell` and `test` start one when there is no DATABASE_URL."
            )
        return _url(home)


def ensure_database(settings: Settings, echo: Callable[[str], None]) -> Settings:
    """Return *settings* with a database: the one they name, or the embedded one, started.

    Without a database and with `DEBUG` off the settings come back as they are.

    Args:
        echo: told, in one line, when the embedded server is used.

    Raises:
        ImproperlyConfigured: the embedded server cannot be started.
    """
    if settings.database.url is not None or not settings.debug:
        return settings
    server = EmbeddedServer(project_root(settings))
    was_running = server.status().running
    url = server.start()
    verb = "using" if was_running else "started"
    echo(
        f"No DATABASE_URL: {verb} the embedded PostgreSQL {MAJOR} "
        f"(data in {server.status().data}; `manage.py db stop` ends it)."
    )
    return replace(settings, database=replace(settings.database, url=url))


def project_root(settings: Settings) -> Path:
    """Return the directory that the settings module's top package lies in; else the current one."""
    top = settings.module.partition(".")[0]
    try:
        spec = importlib.util.find_spec(top) if top else None
    except ValueError:  # a script's own namespace has no spec
        spec = None
    if spec is None:
        return Path.cwd()
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).parent
    return Path(spec.origin).parent if spec.origin else Path.cwd()


def _url(home: Home) -> str:
    # NOTE: with the port, as PGPORT in the environment would change it otherwise.
    return f"postgresql://{SUPERUSER}@/postgres?host={quote(str(home.run))}&port={PORT}"
