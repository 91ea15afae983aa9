"""Services that take the same requests in turns, in short batches: what one costs beside another.

On a noisy machine a batch of a few milliseconds, and the one beside it, find the same conditions;
CPU time is that of the scheduler, in nanoseconds. As two processes of one program differ by some
percent, each round starts all servers anew.
"""

import itertools
import socket
import statistics
from collections.abc import Mapping

from benchmarks.collections import ask, cpu_of
from benchmarks.processes import Server, tree

BATCH = 200
BATCHES = 24  # of each server in a round


def spend(server: Server, message: bytes) -> float:
    """Return the microseconds of CPU time that *server* needs for one request."""
    with socket.create_connection(("127.0.0.1", server.port)) as conn:
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ask(conn, message)
        processes = [process.pid for process in tree(server.process.pid)]
        before = sum(map(cpu_of, processes))
        for _ in range(BATCH):
            ask(conn, message)
        return (sum(map(cpu_of, processes)) - before) / BATCH / 1000


def compare(servers: Mapping[str, Server], message: bytes) -> dict[str, float]:
    """Return the microseconds of a request for each server: medians of batches next to each other.

    The order turns, so that nobody is always the first.
    """
    costs: dict[str, list[float]] = {name: [] for name in servers}
    orders = itertools.cycle([list(servers), list(servers)[::-1]])
    for number, order in enumerate(itertools.islice(orders, BATCHES + 2)):
        for name in order:
            cost = spend(servers[name], message)
            if number >= 2:  # until then nothing is warm
                costs[name].append(cost)
    return {name: statistics.median(each) for name, each in costs.items()}
