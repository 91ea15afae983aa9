"""Connections from an address: what each driver is told, and the failover between its hosts."""

import asyncio
import contextlib
import socket
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psycopg
import pytest

from msframework.conf.address import read_address
from msframework.db.embedded import EmbeddedServer
from msframework.db.opening import AddressOpener, keep_alive, libpq_options
from msframework.migrations.connection import opened


@pytest.fixture(scope="module")
def pair(server, tmp_path_factory):
    """Two servers, which go by the names of `one` and `two`."""
    second = EmbeddedServer(tmp_path_factory.mktemp("second"))
    second.start()
    yield server, second
    second.reset()


def both(pair, query=""):
    """Return the address of both servers."""
    parts = [parse_qs(urlsplit(server.url).query) for server in pair]
    hosts, ports = (",".join(part[name][0] for part in parts) for name in ("host", "port"))
    return f"postgresql://postgres@/postgres?host={hosts}&port={ports}{query}"


async def directory(conn):
    return await conn.fetchval("SHOW data_directory")


async def test_the_pool_goes_on_with_the_host_that_is_left(pair, open_database, tmp_path):
    first, second = pair
    async with open_database(url=both(pair), min_size=1) as db:
        async with db.acquire() as cur:
            before = await cur.fetchval("SHOW data_directory")
        await asyncio.to_thread(first.stop)
        try:
            async with asyncio.timeout(30):
                while True:
                    with contextlib.suppress(Exception):  # a connection that has just died
                        async with db.acquire() as cur:
                            after = await cur.fetchval("SHOW data_directory")
                        break
            with opened(both(pair)) as database:
                ((migrated,),) = database.execute_sql("SHOW data_directory").fetchall()
        finally:
            await asyncio.to_thread(first.start)

    assert [before, after, migrated] == [
        str(server.status().data) for server in (first, second, second)
    ]


@pytest.fixture
async def read_only_first(pair):
    """Let the first server be as one that another has taken over from."""
    conn = await asyncpg.connect(pair[0].url)
    change = "ALTER DATABASE postgres SET default_transaction_read_only = "
    await conn.execute(f"{change} on")
    yield
    await conn.execute("SET default_transaction_read_only = off")
    await conn.execute(f"{change} off")
    await conn.close()


@pytest.mark.parametrize(("wanted", "number"), [("read-write", 1), ("any", 0), ("read-only", 0)])
async def test_both_drivers_find_the_server_that_is_asked_for(
    pair, read_only_first, wanted, number
):
    address = read_address(both(pair, f"&target_session_attrs={wanted}"))

    conn = await AddressOpener(address, 5).open()
    with psycopg.connect(**libpq_options(address)) as other:
        found = other.execute("SHOW data_directory").fetchone()[0]

    assert {await directory(conn), found} == {str(pair[number].status().data)}
    await conn.close()


async def test_a_host_without_the_role_is_no_host(pair):
    opener = AddressOpener(read_address(both(pair, "&target_session_attrs=standby")), 5)
    with pytest.raises(asyncpg.TargetServerAttributeNotMatched, match="attrs=standby"):
        await opener.open()

    preferring = both(pair, "&target_session_attrs=prefer-standby")
    conn = await AddressOpener(read_address(preferring), 5).open()
    assert await directory(conn) == str(pair[0].status().data)
    await conn.close()


@pytest.mark.punctual
async def test_a_host_that_swallows_all_takes_its_own_time_only(url):
    swallowed = asyncio.Event()

    async def swallow(reader, writer):
        swallowed.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    parts = parse_qs(urlsplit(url).query)
    text = (
        f"postgresql://postgres@/postgres?host=127.0.0.1,{parts['host'][0]}"
        f"&port={port},{parts['port'][0]}&connect_timeout=1&sslmode=disable"
    )
    async with server:
        conn = await AddressOpener(read_address(text), 30).open()
        assert swallowed.is_set()
        await conn.close()


async def test_a_role_once_found_is_looked_for_there_first(pair, read_only_first, monkeypatch):
    opener = AddressOpener(read_address(both(pair, "&target_session_attrs=read-write")), 5)
    await (await opener.open()).close()
    asked = []

    async def connect(dsn, *, host, **options):
        asked.append(host)
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncpg, "connect", connect)
    with pytest.raises(ConnectionRefusedError):
        await opener.open()

    assert asked == [host.name for host in reversed(read_address(both(pair)).hosts)]


async def test_both_drivers_have_the_session_of_the_address(url):
    text = (
        f"{url}&search_path=a,%22b%20c%22&options=-c%20statement_timeout%3D7s%20-c%20x.y%3Da%5C%20b"
        "&application_name=shop%20one"
    )
    address = read_address(text)
    names = ("search_path", "statement_timeout", "x.y", "application_name")

    conn = await AddressOpener(address, 5).open()
    ours = [await conn.fetchval(f"SHOW {name}") for name in names]
    await conn.close()
    with opened(text) as database:
        theirs = [database.execute_sql(f"SHOW {name}").fetchone()[0] for name in names]

    assert ours == theirs == ['a,"b c"', "7s", "a b", "shop one"]


class Transport:
    def __init__(self, sock):
        self.sock = sock

    def get_extra_info(self, name):
        return self.sock


class Connected:
    def __init__(self, sock):
        self._transport = Transport(sock)


def test_the_socket_is_told_when_its_peer_counts_as_gone():
    values = {"keepalives_idle": "11", "keepalives_count": "3", "tcp_user_timeout": "4000"}
    with socket.socket() as sock, socket.socket() as other:
        keep_alive(Connected(sock), values)
        keep_alive(Connected(other), {"keepalives": "0", "keepalives_idle": "11"})
        keep_alive(Connected(None), {})

        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 11
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 4000
        assert other.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


@pytest.fixture
def told(monkeypatch):
    """What asyncpg is told when it is asked to connect."""
    found = {}

    async def connect(dsn, **options):
        found.update(options, dsn=dsn)
        raise OSError

    monkeypatch.setattr(asyncpg, "connect", connect)
    return found


async def open_nothing(text, **options):
    with contextlib.suppress(OSError):
        await AddressOpener(read_address(text, {}), 5).open(**options)


async def test_asyncpg_is_told_of_tls_and_of_no_login_in_a_text(told):
    await open_nothing(
        "postgresql://u:s3cret@[::1]:7/n?sslmode=verify-full&sslrootcert=/c a.pem&sslcert=/c"
        "&sslkey=/k&sslpassword=p&sslcrl=/l&ssl_min_protocol_version=TLSv1.3"
        "&sslnegotiation=direct&connect_timeout=9".replace(" ", "%20")
    )

    assert told["dsn"] == (
        "postgresql://?sslmode=verify-full&sslnegotiation=direct&sslrootcert=%2Fc+a.pem"
        "&sslcert=%2Fc&sslkey=%2Fk&sslpassword=p&sslcrl=%2Fl&ssl_min_protocol_version=TLSv1.3"
    )
    assert (told["host"], told["port"], told["timeout"]) == ("::1", 7, 9)
    assert (told["user"], told["password"], told["database"]) == ("u", "s3cret", "n")


async def test_the_certificates_of_the_system_are_a_context(told):
    await open_nothing(
        "postgresql://u@h/n?sslrootcert=system&ssl_min_protocol_version=TLSv1.3"
        "&channel_binding=require"
    )

    assert told["ssl"].check_hostname
    assert told["ssl"].minimum_version.name == "TLSv1_3"
    assert (told["dsn"], told["direct_tls"]) == (None, False)


async def test_a_number_is_connected_to_in_the_place_of_a_name(told):
    await open_nothing("postgresql://u@h/n?hostaddr=10.0.0.1")
    options = libpq_options(read_address("postgresql://u@h/n?hostaddr=10.0.0.1", {}))

    assert told["host"] == "10.0.0.1"
    assert (options["host"], options["hostaddr"]) == ("h", "10.0.0.1")


async def test_hosts_are_shuffled_where_the_address_says_so(monkeypatch):
    asked = set()

    async def connect(dsn, *, host, **options):
        asked.add(host)
        raise asyncpg.InvalidPasswordError("no")

    monkeypatch.setattr(asyncpg, "connect", connect)
    opener = AddressOpener(read_address("postgresql://u@a,b,c/n?load_balance_hosts=random"), 5)
    for _ in range(200):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await opener.open()

    assert asked == {"a", "b", "c"}


def test_libpq_knows_each_parameter():
    known = {item.keyword.decode() for item in psycopg.pq.Conninfo.get_defaults()}
    everything = libpq_options(
        read_address(
            "postgresql://u:p@a:1,b:2/n?hostaddr=1.1.1.1,2.2.2.2&passfile=/f&application_name=x"
            "&options=-c%20a.b%3Dc&search_path=s&jit=off&timezone=UTC&connect_timeout=3"
            "&keepalives=1&keepalives_idle=2&keepalives_interval=2&keepalives_count=2"
            "&tcp_user_timeout=5&target_session_attrs=primary&load_balance_hosts=random"
            "&sslmode=verify-ca&sslnegotiation=direct&sslrootcert=/r&sslcert=/c&sslkey=/k"
            "&sslpassword=p&sslcrl=/l&ssl_min_protocol_version=TLSv1.2&client_encoding=UTF8"
            "&ssl_max_protocol_version=TLSv1.3&channel_binding=prefer&gssencmode=prefer"
            "&krbsrvname=pg&gsslib=gssapi&lock_timeout=1s"
        )
    )

    assert everything.keys() - known == set()
    assert everything["host"] == "a,b"
    assert everything["options"].startswith("-c a.b=c -c search_path=s")
