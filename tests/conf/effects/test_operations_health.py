"""The settings of probes."""

import asyncio
import json
import socket
import urllib.request

from msframework.management.sockets import listening_for_operations
from msframework.operations.process import ServiceSource
from msframework.operations.server import OperationsServer


async def probe(url):
    """Return the JSON that *url* answers."""

    def ask():
        with urllib.request.urlopen(url, timeout=30) as response:
            return json.load(response)

    return await asyncio.to_thread(ask)


async def test_operations_port(read, make):
    values = {"DEBUG": False, "OPERATIONS_PORT": 0}
    service = make(**values)
    with listening_for_operations(read(DEBUG=False)) as none:
        assert none is None
    with listening_for_operations(read(**values)) as sock:
        source = ServiceSource(service.readiness, service.monitor, service.metrics.collect)
        server = OperationsServer(sock, source)
        server.start()
        try:
            live = await probe(f"http://127.0.0.1:{sock.getsockname()[1]}/livez")
        finally:
            server.stop()

    assert live == {"status": "live", "parts": {"loop": "ok"}}


def test_operations_host(read):
    settings = read(OPERATIONS_PORT=0, OPERATIONS_HOST="127.0.0.2")

    with listening_for_operations(settings) as sock:
        assert sock.getsockname()[0] == "127.0.0.2"


async def test_ready_services(serve):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    services = {"regions": {"url": f"http://127.0.0.1:{port}"}}

    async with serve(SERVICES=services) as running:
        without = await running.ask("/readyz")
    async with serve(SERVICES=services, READY_SERVICES=("regions",)) as running:
        answer = await running.ask("/readyz")

    assert without.status == 200
    assert answer.status == 503
    assert answer.said["parts"] == {"service regions": "no connection: Connection refused"}
