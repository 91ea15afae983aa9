"""A listening socket at its end: what waits there is served, and nothing new comes."""

import asyncio
import socket

import pytest

from msframework.serving.listener import ListeningSocket, refuse_connections


def tcp_socket(tmp_path):
    """Return a socket that listens on the loopback."""
    return socket.create_server(("127.0.0.1", 0))


def unix_socket(tmp_path):
    """Return one that listens at a path."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "socket"))
    sock.listen()
    return sock


SOCKETS = pytest.mark.parametrize("listen", [tcp_socket, unix_socket])


def connect(sock):
    """Return a connection to *sock*.

    Raises:
        OSError: nobody listens, or nobody says so.
    """
    client = socket.socket(sock.family)
    client.settimeout(0.2)
    try:
        client.connect(sock.getsockname())
    except OSError:
        client.close()
        raise
    return client


def test_what_waits_can_be_accepted_and_nothing_follows(tmp_path):
    with tcp_socket(tmp_path) as sock, connect(sock) as waiting:
        refuse_connections(sock)
        with pytest.raises((TimeoutError, FileNotFoundError)):
            connect(sock)
        waiting.sendall(b"early")
        with sock.accept()[0] as accepted:
            assert accepted.recv(5) == b"early"


async def test_a_socket_file_that_was_replaced_is_another_servers(tmp_path):
    with unix_socket(tmp_path) as sock:
        listener = ListeningSocket(sock)
        (tmp_path / "socket").unlink()
        with unix_socket(tmp_path) as other:
            await listener.accept_the_rest(asyncio.get_running_loop().time() + 5, shared=False)
            connect(other).close()


@SOCKETS
async def test_the_loop_accepts_all_that_waits_before_the_socket_is_closed(listen, tmp_path):
    accepted = []

    class Server(asyncio.Protocol):
        def connection_made(self, transport):
            accepted.append(transport)

    loop = asyncio.get_running_loop()
    sock = listen(tmp_path)
    waiting = [connect(sock) for _ in range(50)]
    make = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
    server = await make(Server, sock=sock)

    await ListeningSocket(sock).accept_the_rest(loop.time() + 5, shared=False)

    assert len(accepted) == 50
    with pytest.raises((TimeoutError, FileNotFoundError)):
        connect(sock)
    server.close()
    for client, transport in zip(waiting, accepted, strict=True):
        transport.abort()
        client.close()


async def test_a_shared_socket_is_left_to_the_others():
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as sock, connect(sock):
        await ListeningSocket(sock).accept_the_rest(loop.time() + 5, shared=True)

        connect(sock).close()


async def test_nobody_waits_for_ever_for_connections_that_nobody_accepts():
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as sock, connect(sock):
        await ListeningSocket(sock).accept_the_rest(loop.time() + 0.15, shared=False)
