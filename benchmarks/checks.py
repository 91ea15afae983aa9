"""What each workload must answer, compared with the rows that PostgreSQL holds. Before any load."""

import datetime as dt
import decimal
import json
import uuid
from typing import Any

from psycopg.rows import dict_row

from benchmarks.database import ROWS, Database
from benchmarks.processes import CheckFailed, Server, expect

BROWSER = {
    "Origin": "https://app.example.com",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
VALID = {
    "name": "Checked User",
    "email": "checked.user@example.com",
    "age": 42,
    "sex": "female",
    "balance": "1234.50",
    "city_id": 7,
    "role_id": 3,
}
INVALID = {
    "name": "",
    "email": "not-an-email",
    "age": 200,
    "sex": "unknown",
    "balance": "10.00",
    "city_id": 1,
    "role_id": 1,
}


def body_of(
    server: Server, method: str, path: str, status: int, body: Any = None
) -> tuple[Any, bytes]:
    """Return the body of an answer as JSON and as it came; it must be JSON with *status*."""
    got, headers, raw = server.request(method, path, body, BROWSER)
    expect(got == status, f"{method} {path}: status {got}, not {status}: {raw[:300]!r}")
    kind = headers.get("Content-Type", "")
    expect(kind.startswith("application/json"), f"{method} {path}: content type {kind!r}")
    try:
        return json.loads(raw), raw
    except ValueError as error:
        raise CheckFailed(f"{method} {path}: not JSON: {raw[:300]!r}") from error


def expect_envelope(body: Any, *more: str) -> None:
    """Fail unless *body* is the envelope of a success."""
    expect(set(body) == {"code", "data", *more} and body["code"] == 0, f"envelope {body}")


def expect_user(got: dict, row: dict, extra: tuple = ()) -> None:
    """Fail unless *got* says what *row* holds, with the types that JSON has for it."""
    expect(set(got) == {*row, *extra}, f"fields {sorted(got)}")
    for key, value in row.items():
        seen = got[key]
        if isinstance(value, (decimal.Decimal, uuid.UUID)):
            expect(seen == str(value), f"{key}: {seen!r}, not {str(value)!r}")
        elif isinstance(value, dt.datetime):
            expect(dt.datetime.fromisoformat(seen) == value, f"{key}: {seen!r}, not {value}")
        else:
            expect(seen == value and type(seen) is type(value), f"{key}: {seen!r}, not {value!r}")


class Checks:
    """One method a workload; each returns the size of the answer, and fails if it is wrong."""

    def __init__(self, database: Database) -> None:
        self.connection = database.connect()
        self.connection.row_factory = dict_row

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def rows(self, where: str) -> list[dict]:
        """Return rows of the table."""
        return self.connection.execute(f"SELECT * FROM users WHERE {where} ORDER BY id").fetchall()

    def json(self, server: Server) -> dict:
        """Check the constant answer."""
        body, raw = body_of(server, "GET", "/json", 200)
        expect(body == {"code": 0, "data": {"message": "Hello, World!"}}, f"{body}")
        return {"bytes": len(raw)}

    def read_one(self, server: Server) -> dict:
        """Check three rows, and one that there is not."""
        size = 0
        for row in self.rows("id IN (1, 4242, 10000)"):
            body, raw = body_of(server, "GET", f"/users/{row['id']}", 200)
            expect_envelope(body)
            expect_user(body["data"], row)
            size = len(raw)
        status, _, _ = server.request("GET", f"/users/{ROWS * 100}")
        expect(status == 404, f"absent user: status {status}, not 404")
        return {"bytes": size}

    def list(self, server: Server) -> dict:
        """Check a page of a hundred rows, and three pages that must be refused."""
        body, raw = body_of(server, "GET", "/users?page=3&per_page=100", 200)
        expect_envelope(body, "pagination")
        rows = self.rows("id BETWEEN 201 AND 300")
        expect(len(body["data"]) == 100, f"{len(body['data'])} rows")
        for got, row in zip(body["data"], rows, strict=True):
            expect_user(got, row)
        wanted = {"page": 3, "per_page": 100, "total": ROWS}
        expect(wanted.items() <= body["pagination"].items(), f"pagination {body['pagination']}")
        for bad in ("page=0&per_page=100", "page=1&per_page=1000", "page=x"):
            status, _, _ = server.request("GET", f"/users?{bad}")
            expect(status == 422 or (bad == "page=x" and status == 400), f"{bad}: status {status}")
        return {"bytes": len(raw)}

    def create(self, server: Server) -> dict:
        """Check that a row is stored, and that each rule alone is enforced."""
        body, raw = body_of(server, "POST", "/users", 201, VALID)
        expect_envelope(body)
        expect(set(body["data"]) == {"id"} and isinstance(body["data"]["id"], int), f"{body}")
        (row,) = self.rows(f"id = {body['data']['id']}")
        for key, value in VALID.items():
            expect(str(row[key]) == str(value), f"stored {key}: {row[key]!r}, not {value!r}")
        expect(row["is_active"] is True and row["uid"] is not None, f"defaults {row}")
        wrong = {
            "name": "x" * 129,
            "email": "nobody",
            "age": 151,
            "sex": "x",
            "balance": "abc",
            "city_id": "abc",
            "role_id": None,
        }
        for key, bad in wrong.items():
            status, _, _ = server.request("POST", "/users", {**VALID, key: bad})
            expect(status == 422, f"{key}={bad!r:.20}: status {status}, not 422")
        return {"bytes": len(raw)}

    def invalid(self, server: Server) -> dict:
        """Check that wrong fields are named."""
        body, raw = body_of(server, "POST", "/users", 422, INVALID)
        text = json.dumps(body)
        fields = ("name", "email", "age", "sex")
        named = [key for key in fields if f'"{key}"' in text or f"$.{key}" in text]
        expect(bool(named), f"no field is named: {text}")
        return {"bytes": len(raw), "fields_reported": len(named)}

    def fanout(self, server: Server) -> dict:
        """Check a user with city and role, and one that there is not."""
        (row,) = self.rows("id = 4242")
        body, raw = body_of(server, "GET", "/users/4242/full", 200)
        expect_envelope(body)
        expect_user(body["data"], row, ("city", "role"))
        city, role = row["city_id"], row["role_id"]
        wanted = {"id": city, "name": f"City {city}", "country": "XX"}
        expect(body["data"]["city"] == wanted, f"city {body['data']['city']}")
        wanted = {"id": role, "name": f"Role {role}", "level": role % 3}
        expect(body["data"]["role"] == wanted, f"role {body['data']['role']}")
        status, _, _ = server.request("GET", f"/users/{ROWS * 100}/full")
        expect(status == 404, f"absent user: status {status}, not 404")
        return {"bytes": len(raw)}


def check_signed(server: Server) -> None:
    """Check what every answer of a full target carries: request id, trace id, CORS, a document."""
    _, headers, _ = server.request("GET", "/json", headers={**BROWSER, "X-Request-ID": "mine-1"})
    expect(headers.get("X-Request-ID") == "mine-1", f"the caller's request id is lost: {headers}")
    trace = BROWSER["traceparent"].split("-")[1]
    expect(headers.get("X-Trace-ID") == trace, f"the caller's trace is not taken over: {headers}")
    allowed = headers.get("Access-Control-Allow-Origin")
    expect(allowed in ("*", BROWSER["Origin"]), f"no CORS header: {headers}")
    ids = {server.request("GET", "/json")[1].get("X-Request-ID") for _ in range(5)}
    expect(len(ids) == 5 and all(ids), f"request ids are not one for each request: {ids}")
    document = server.get_json("/openapi/spec.json")
    expect("/users/{id}" in document.get("paths", {}), "the OpenAPI document misses /users/{id}")
