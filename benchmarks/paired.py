"""Services that take the same requests in turns, in short batches: what one costs beside another.

On a noisy machine a batch of a few milliseconds, and the one beside it, find the same conditions;
CPU time is that of the scheduler, in nanoseconds. As two processes of one program differ by some
percent, each round starts all servers anew.
"""

import itertools
import socket
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from benchmarks.collections import cpu_of, read_answer
from benchmarks.processes import Server, tree

CONNECTIONS = 32  # with a request at the same time, as under load
TURNS = 25
WARM_UP = 5  # turns in which a server's code comes back to the caches
BATCHES = 24  # of each server in a round


def spend(server: Server, message: bytes) -> float:
    """Return the microseconds of CPU time that *server* needs for one request."""
    with ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        conns = [stack.enter_context(socket.create_connection(address)) for _ in range(CONNECTIONS)]
        for conn in conns:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        processes = [process.pid for process in tree(server.process.pid)]
        for _ in range(WARM_UP):
            _turn(conns, message)
        before = sum(map(cpu_of, processes))
        for _ in range(TURNS):
            _turn(conns, message)
        return (sum(map(cpu_of, processes)) - before) / TURNS / CONNECTIONS / 1000


def _turn(conns: Sequence[socket.socket], message: bytes) -> None:
    for conn in conns:
        conn.sendall(message)
    for conn in conns:
        read_answer(conn)


def compare(servers: Mapping[str, Server], message: bytes) -> dict[str, float]:
    """Return the microseconds of a request for each server: medians of batches next to each other.

    All orders take turns, as a server finds the caches that the one before it has left.
    """
    costs: dict[str, list[float]] = {name: [] for name in servers}
    orders = itertools.cycle(itertools.permutations(servers))
    for number, order in enumerate(itertools.islice(orders, BATCHES + 2)):
        for name in order:
            cost = spend(servers[name], message)
            if number >= 2:  # until then nothing is warm
                costs[name].append(cost)
    return {name: statistics.median(each) for name, each in costs.items()}
