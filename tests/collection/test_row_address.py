"""The address of a row leads back to it, whatever characters its key has."""

import json
from http.client import HTTPConnection
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from msframework.collection.row_address import RowKeys
from msframework.exceptions import InvalidInput

ODD = st.sampled_from("/%?#.;:@&=+$,!'()*~ \\\"<>|[]{}^`\t\n\x7f\u00e9\u65e5\u202e\U0001f600")
KEYS = st.text(ODD | st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
REFUSED = ["May not be empty, '.' or '..', as the address of the row has it."]


def ask(connection, method, address, body=None):
    """Return the status, the `Location` and the JSON of an answer."""
    # As clients do: dot segments are removed, encoded ones as well (RFC 3986, 5.2.4; WHATWG's URL).
    url = urljoin(f"http://{connection.host}/", address.replace("%2E", "."))
    data = None if body is None else json.dumps(body)
    headers = {} if body is None else {"Content-Type": "application/json"}
    connection.request(method, urlsplit(url).path, data, headers)
    response = connection.getresponse()
    text = response.read()
    return response.status, response.headers["Location"], json.loads(text) if text else None


@pytest.fixture
def connection(shop_server, admin):
    connection = HTTPConnection(shop_server.url.removeprefix("http://"), timeout=60)
    yield connection
    connection.close()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(KEYS)
@example("")
@example(".")
@example("..")
@example("a/..")
@example("../a")
@example("%2e%2e")
@example("%2F")
@example("//")
def test_a_new_row_is_found_at_its_address_or_refused(connection, key):
    status, place, answer = ask(connection, "POST", "/tags", {"slug": key, "label": "x"})

    if key in ("", ".", ".."):
        assert (status, answer["error"]) == (422, {"body": {"slug": REFUSED}})
        return
    assert status == 201
    status, _, answer = ask(connection, "GET", place)
    assert (status, answer["data"]["slug"]) == (200, key)
    assert ask(connection, "DELETE", place)[0] == 204


@pytest.mark.parametrize("key", ["", ".", ".."])
@pytest.mark.parametrize("method", ["patch", "put"])
async def test_a_row_gets_no_key_that_no_address_has(client, method, key):
    place = (await client.post("/tags", json={"slug": "a", "label": "x"})).headers["location"]

    response = await getattr(client, method)(place, json={"slug": key})

    assert (response.status, response.json["error"]) == (422, {"body": {"slug": REFUSED}})
    assert (await client.get(place)).status == 200


def test_rows_of_a_bulk_action_are_refused_by_their_index():
    keys = RowKeys({"slug": "slug"})
    keys.check([{"slug": "a"}, {"slug": "b"}], many=True)

    with pytest.raises(InvalidInput) as caught:
        keys.check([{"slug": "a"}, {"slug": "."}, {"slug": ""}], many=True)

    assert caught.value.error == {"body": {"1": {"slug": REFUSED}, "2": {"slug": REFUSED}}}
