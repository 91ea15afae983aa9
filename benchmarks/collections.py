"""What a generated action costs beside a method by hand: `python -m benchmarks.collections`.

One server in a process of its own serves a table twice: by a ModelResource, and by Resources as one
would write them. Both are asked in turn, in short batches; what counts is the CPU time of the
server, and of its batches next to each other the ratio. Prints JSON: medians.
"""

import argparse
import json
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from benchmarks.children import start_child
from msframework import Blueprint, ModelResource, ModelSchema, NotFound, Reply, Resource, doc
from msframework.app import Service
from msframework.conf.settings import DatabaseSettings, Settings
from msframework.models import BooleanField, CharField, DateTimeTZField, IntegerField, Model, utcnow
from tests.processes import fresh_database

ROWS = 200
TABLE = """
CREATE TABLE bench_users (
    id serial PRIMARY KEY, name varchar(128) NOT NULL, email varchar(128) NOT NULL,
    age integer NOT NULL, city_id integer NOT NULL, active boolean NOT NULL, note text,
    create_time timestamptz NOT NULL
);
INSERT INTO bench_users (name, email, age, city_id, active, create_time)
SELECT 'name ' || n, n || '@example.com', n % 90, n % 7, true, now() FROM generate_series(1, 200) n;
"""
BODY = json.dumps({"name": "Ada", "email": "ada@example.com", "age": 36, "city_id": 1})


class BenchUser(Model):
    name = CharField(max_length=128)
    email = CharField(max_length=128)
    age = IntegerField()
    city_id = IntegerField()
    active = BooleanField(default=True)
    note = CharField(null=True)
    create_time = DateTimeTZField(default=utcnow)

    class Meta:
        table_name = "bench_users"


class BenchUserSchema(ModelSchema):
    class Meta:
        model = BenchUser
        fields = ("id", "name", "email", "age", "city_id", "active", "note", "create_time")


generated = Blueprint("generated", url_prefix="/generated")


@generated.collection("/", item="/<id:int>")
class Generated(ModelResource):
    schema = BenchUserSchema


by_hand = Blueprint("by_hand", url_prefix="/by_hand")


@by_hand.resource("/")
class ByHandList(Resource):
    @doc.paginate()
    @doc.produces(BenchUserSchema(many=True))
    async def get(self, request, page, cur):
        return await page.fetch(cur, BenchUser.select().order_by(BenchUser.id))

    @doc.consumes(BenchUserSchema)
    @doc.produces(BenchUserSchema, status=201, headers={"Location": ""})
    async def post(self, request, body, tx):
        row = await tx.fetchrow(BenchUser.insert(**body).returning(BenchUser))
        return Reply(row, headers={"Location": f"/by_hand/{row['id']}"})


@by_hand.resource("/<id:int>")
class ByHandItem(Resource):
    @doc.produces(BenchUserSchema)
    @doc.raises(NotFound)
    async def get(self, request, id, cur):
        row = await cur.fetchrow("SELECT * FROM bench_users WHERE id = $1", id)
        if row is None:
            raise NotFound(error=f"no user {id}")
        return row


def serve(url: str, port: int) -> None:
    """Serve both at *port*, until the process is ended."""
    database = DatabaseSettings(url=url, min_size=1, max_size=1)
    service = Service(Settings(service_name="collections", database=database))
    service.blueprint(generated)
    service.blueprint(by_hand)
    service.run(host="127.0.0.1", port=port, single_process=True, access_log=False)


def request(workload: str, kind: str, number: int) -> bytes:
    """Return the bytes of one request."""
    if workload == "create":
        head = f"POST /{kind} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(BODY)}\r\n\r\n{BODY}".encode()
    path = f"/{kind}" if workload == "list" else f"/{kind}/{1 + number % ROWS}"
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def ask(conn: socket.socket, message: bytes) -> None:
    """Send a request, and read its answer to the end."""
    conn.sendall(message)
    read_answer(conn)


def read_answer(conn: socket.socket) -> None:
    """Read an answer to the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += conn.recv(65536)
    head, _, rest = data.partition(b"\r\n\r\n")
    assert head[9:10] == b"2", head
    length = next(
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    while len(rest) < length:
        rest += conn.recv(65536)


def cpu_of(pid: int) -> int:
    """Return the nanoseconds that all threads of a process were on a core."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in tasks)


def measure(pid: int, port: int, rounds: int, batch: int) -> dict[str, object]:
    """Return the medians of each workload."""
    conn = socket.create_connection(("127.0.0.1", port))
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def spend(workload: str, kind: str) -> float:
        messages = [request(workload, kind, number) for number in range(batch)]
        before = cpu_of(pid)
        for message in messages:
            ask(conn, message)
        return (cpu_of(pid) - before) / batch / 1000

    found: dict[str, object] = {}
    costs: dict[tuple[str, str], list[float]] = {}
    ratios: dict[str, list[float]] = {"list": [], "read": [], "create": []}
    for number in range(rounds + 1):
        for workload, own in ratios.items():
            kinds = ("generated", "by_hand", "by_hand", "generated")
            spent = [(kind, spend(workload, kind)) for kind in kinds[:: 1 if number % 2 else -1]]
            if number == 0:  # nothing is warm yet
                continue
            for kind, cost in spent:
                costs.setdefault((workload, kind), []).append(cost)
            both = [sum(cost for each, cost in spent if each == kind) for kind in kinds[:2]]
            own.append(both[0] / both[1])
    for workload, own in ratios.items():
        quartiles = statistics.quantiles(own, n=4)
        found[workload] = {
            "generated (us)": round(statistics.median(costs[workload, "generated"]), 1),
            "by hand (us)": round(statistics.median(costs[workload, "by_hand"]), 1),
            "ratio": round(statistics.median(own), 3),
            "quartiles": [round(quartiles[0], 3), round(quartiles[2], 3)],
        }
    return found


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(port: int) -> None:
    """Wait until somebody listens at *port*."""
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("the server did not start")


def main() -> None:
    """Start the server, measure, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--serve", nargs=2, metavar=("URL", "PORT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve[0], int(options.serve[1]))
        return
    with fresh_database("bench_collections") as url:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(TABLE)
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.collections", "--serve", url, str(port)]
        server = start_child(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(port)
            json.dump(
                measure(server.pid, port, options.rounds, options.batch), sys.stdout, indent=2
            )
            print()
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main()
