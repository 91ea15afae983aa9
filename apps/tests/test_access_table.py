"""Who may call what: every operation of the example apps with five kinds of credentials.

The table is made three times: of the guards, of the OpenAPI document alone, and of what the served
apps answer. There is no difference.
"""

import asyncio
from dataclasses import replace

import pytest

from msframework import AnyScope, Authenticated, Principal, Scopes
from msframework.access import AuthenticatedBy
from msframework.access.guard import AllOf, AnyOf, Not
from msframework.openapi.spec import build_document
from tests.access.document_table import read_document

CREDENTIALS = ("none", "bad", "expired", "wrong scope", "right")
SCOPES = ("regions:write", "roles:write", "users:write")
OTHER = "other:write"


def row(open_to_anonymous, wrong_scope_may, right_may):
    """Return the cells of one operation: 401, 403, or "in" for whatever lies behind the guards."""
    return {
        "none": "in" if open_to_anonymous else 401,
        "bad": 401,
        "expired": 401,
        "wrong scope": "in" if wrong_scope_may else 403,
        "right": "in" if right_may else 403,
    }


# The table of the guards.


def allows(guard, principal):
    """Say whether *guard* lets *principal* in; a second reading of what guards mean."""
    match guard:
        case AllOf(guards):
            return all(allows(each, principal) for each in guards)
        case AnyOf(guards):
            return any(allows(each, principal) for each in guards)
        case Not(inner):
            return not allows(inner, principal)
        case Authenticated():
            return principal is not None
        case AuthenticatedBy():
            return principal is not None and principal.authenticator in guard.names
        case Scopes():
            return principal is not None and principal.scopes >= set(guard.scopes)
        case AnyScope():
            return principal is not None and not principal.scopes.isdisjoint(guard.scopes)
    raise TypeError(f"a guard that this table cannot judge: {guard!r}")


def table_of(operations):
    wrong = Principal("1", frozenset({OTHER}), authenticator="token")
    right = Principal("1", frozenset(SCOPES), authenticator="token")
    table = {}
    for operation in operations:
        guards = operation.access.guards
        may = [all(allows(guard, who) for guard in guards) for who in (None, wrong, right)]
        table[f"{operation.method} {operation.template}"] = row(*may)
    return table


# The table of the document.


def table_of_document(document):
    table = {}
    for (method, path), access in read_document(document).items():
        may = [
            not access.needs_credentials
            or (scopes is not None and any(needed <= scopes for needed in access.scopes))
            for scopes in (None, {OTHER}, set(SCOPES))
        ]
        cells = table[f"{method} {path}"] = row(*may)
        assert access.promised >= set(cells.values()) - {"in"}, (method, path)
    return table


# The table of what is answered.


def headers_of(issuer):
    """Return the headers of each kind of credentials."""
    tokens = {
        "bad": issuer.issue("1", SCOPES)[:-4] + "AAAA",
        "expired": issuer.issue("1", SCOPES, lifetime=-60),
        "wrong scope": issuer.issue("1", (OTHER,)),
        "right": issuer.issue("1", SCOPES),
    }
    return {"none": {}} | {
        kind: {"Authorization": f"Bearer {token}"} for kind, token in tokens.items()
    }


async def table_of_answers(client, app):
    headers = headers_of(app.settings.extra["issuer"])

    async def ask(operation):
        path = operation.template.replace("{id}", "1")
        cells = {}
        for kind in CREDENTIALS:
            answer = await client.request(operation.method, path, headers=headers[kind])
            assert answer.status < 500, (operation.id, kind, answer)
            if answer.status == 401:
                assert answer.headers["www-authenticate"].startswith("Bearer")
            cells[kind] = answer.status if answer.status in (401, 403) else "in"
        return f"{operation.method} {operation.template}", cells

    return dict(await asyncio.gather(*map(ask, app.operations)))


async def test_every_cell_is_answered_as_the_guards_say(app, client):
    expected = table_of(app.operations)

    found = await table_of_answers(client, app)

    assert len(expected) == len(app.operations)
    assert found == expected


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_the_document_says_the_same(app, version):
    settings = replace(app.settings, openapi=replace(app.settings.openapi, version=version))
    document = build_document(app.operations, settings)

    assert table_of_document(document) == table_of(app.operations)


def test_the_table_tells_public_known_and_permitted_apart(app):
    rows = {tuple(cells.values()) for cells in table_of(app.operations).values()}

    assert rows == {
        ("in", 401, 401, "in", "in"),
        (401, 401, 401, "in", "in"),
        (401, 401, 401, 403, "in"),
    }
