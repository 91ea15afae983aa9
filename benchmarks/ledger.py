"""The service that faults.py harms: counters, and an entry for each time that one was raised.

What is in the table afterwards tells whether a write was lost, applied twice, or applied in half.
"""

from msframework import Blueprint, NotFound, Resource, doc

ledger = Blueprint("ledger")

SCHEMA = """
DROP TABLE IF EXISTS entries, counters;
CREATE TABLE counters (id int PRIMARY KEY, total int NOT NULL DEFAULT 0);
CREATE TABLE entries (counter_id int NOT NULL REFERENCES counters, token text NOT NULL);
INSERT INTO counters (id) SELECT generate_series(1, 50);
"""
READ = "SELECT * FROM counters WHERE id = $1"
LOCK = "SELECT * FROM counters WHERE id = $1 FOR UPDATE"
ENTER = "INSERT INTO entries (counter_id, token) VALUES ($1, $2) RETURNING *"
RAISE = "UPDATE counters SET total = total + 1 WHERE id = $1 RETURNING *"


@ledger.resource("/counters/<id:int>")
class CounterDetail(Resource):
    """One counter."""

    @doc.produces({"id": int, "total": int})
    @doc.raises(NotFound)
    async def get(self, request, id):
        async with request.app.db.acquire(request) as cur:
            counter = await cur.fetchrow(READ, id)
        if counter is None:
            raise NotFound(error=f"no counter {id}")
        return counter

    @doc.consumes({"token": str})
    @doc.produces({"id": int, "total": int}, status=201)
    @doc.raises(NotFound)
    async def post(self, request, id, body):
        async with request.app.db.transaction(request) as cur:
            if await cur.fetchrow(LOCK, id) is None:
                raise NotFound(error=f"no counter {id}")
            await cur.fetchrow(ENTER, id, body["token"])
            return await cur.fetchrow(RAISE, id)


def configure(service):
    """Mount the endpoints; `CONFIGURE` names this."""
    service.blueprint(ledger)
