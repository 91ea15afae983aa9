"""Connections that wait are accepted many at once, and served as any other."""

import asyncio
import socket

from msframework.serving.backlog import Backlog


async def test_all_that_wait_are_accepted_at_once():
    made = []

    class Greeting(asyncio.Protocol):
        def connection_made(self, transport):
            made.append(transport)
            transport.write(b"hello")
            transport.close()

    backlog = Backlog()
    backlog.accept()  # knows of nothing yet
    with socket.create_server(("127.0.0.1", 0), backlog=16) as sock:
        sock.setblocking(False)
        backlog.sock, backlog.make = sock, Greeting
        backlog.accept()  # nobody waits
        clients = [socket.create_connection(sock.getsockname()) for _ in range(5)]
        backlog.accept()
        async with asyncio.timeout(30):
            while len(made) < 5:
                await asyncio.sleep(0)
            for client in clients:
                client.setblocking(False)
                assert await asyncio.get_running_loop().sock_recv(client, 9) == b"hello"
                client.close()
            while backlog._tasks:
                await asyncio.sleep(0)
    backlog.accept()  # the server has ended
