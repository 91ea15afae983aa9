"""The calls for objects of another service: what they ask, and what they take for an answer."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest

from msframework import Remote
from msframework.collection.remote_calls import RemoteBatch
from msframework.exceptions import InvalidInput, UpstreamError
from tests.client.conftest import listening, opened, reply
from tests.collection.places import Person, PlaceApi


class Caller:
    """What the calls need of a request."""

    def __init__(self, client):
        self.headers, self._client = {}, client

    def client(self, service):
        return self._client


@pytest.fixture
async def upstream():
    async with listening() as upstream:
        yield upstream


@pytest.fixture
async def caller(upstream):
    async with opened(url=upstream.url, name="others") as client:
        yield Caller(client)


async def fetch(caller, keys, path="/o", **options):
    remote = Remote("others", path, key="town_id", **{"schema": PlaceApi, **options})
    assert remote.why_wrong(Person) == ()
    batch = remote.batch("town", Person)
    assert isinstance(batch, RemoteBatch)
    return await batch.fetch(keys, (), caller, None, None)


def town(id):
    return {"id": id, "name": f"Town {id}"}


def queries(upstream):
    return [parse_qs(urlsplit(each["target"]).query) for each in upstream.requests]


FORMS = {
    "an envelope": {"code": 0, "data": [town(2), town(1)]},
    "a page": {"data": [town(1), town(2)], "pagination": {"page": 1, "pages": 1, "total": 2}},
    "cursors": {"data": [town(1), town(2)], "pagination": {"next": None, "prev": None}},
    "a list": [town(1), town(2)],
    "twice the same": [town(1), town(2), town(1)],
    "keys that are texts": [town("1"), town("2")],
}


@pytest.mark.parametrize("form", FORMS)
async def test_a_list_may_be_bare_enveloped_or_a_page(caller, upstream, form):
    upstream.answers["/o"] = 200, FORMS[form]

    found = await fetch(caller, [1, 2, 3])

    assert {key: each["name"] for key, each in found.items()} == {1: "Town 1", 2: "Town 2"}
    assert queries(upstream) == [{"id__in": ["1,2,3"], "per_page": ["3"]}]


WRONG = {
    "no list": ({"code": 0, "data": {"id": 1}}, "its answer is no list"),
    "nothing": (None, "its answer is no list"),
    "no data": ({"results": []}, "its answer is no list"),
    "a list of numbers": ([1], "an object was expected"),
    "no key": ([{"name": "x"}], "an object has no id"),
    "a key of another kind": ([{"id": None}], "an object has no id"),
    "a key that is a list": ([{"id": "1", "name": []}, {"id": True}], "an object has no id"),
    "more than asked for": ([town(1)] * 3, "its answer has 3 objects, and 2 were asked for"),
    "not asked for": ([town(1), town(3)], "an object was not asked for by id__in"),
    "two of one key": ([town(1), town(1) | {"name": "x"}], "two different objects have one id"),
    "another kind": ([{"id": "x"}], "an object is not as its schema says"),
    "a list as a number": ([{"id": [1]}], "an object is not as its schema says"),
    "further pages": ({"data": [town(1)], "pagination": {"pages": 2}}, "a part of the objects"),
    "a larger total": ({"data": [town(1)], "pagination": {"total": 2}}, "a part of the objects"),
    "a next cursor": ({"data": [], "pagination": {"next": "abc"}}, "a part of the objects"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_an_unexpected_answer_is_an_upstream_error(caller, upstream, case, caplog):
    answer, told = WRONG[case]
    upstream.answers["/o"] = 200, answer

    with pytest.raises(UpstreamError) as info:
        await fetch(caller, [1, 2])

    assert info.value.status_code == 502
    assert told in info.value.upstream_error
    assert told in caplog.text
    assert told not in str(info.value)


@pytest.mark.parametrize("answer", [[town(1)], "x", {"code": 0, "data": 5}, {"id": [1]}])
async def test_one_object_is_checked_too(caller, upstream, answer):
    upstream.answers["/o/1"] = 200, answer

    with pytest.raises(UpstreamError):
        await fetch(caller, [1], "/o/{id}")


async def test_what_a_schema_requires_must_be_there(caller, upstream):
    upstream.answers["/o/1"] = 200, {"id": 1}

    with pytest.raises(UpstreamError) as info:
        await fetch(caller, [1], "/o/{id}", schema={"id": int, "name": str})

    assert info.value.upstream_error == "an object lacks name"


@pytest.mark.parametrize("answer", [(404, {}), (410, {}), (200, {"code": 0, "data": None})])
async def test_an_object_that_is_not_there_is_left_out(caller, upstream, answer):
    upstream.answers["/o/1"] = answer
    upstream.answers["/o/2"] = 200, town(2)

    assert await fetch(caller, [1, 2], "/o/{id}") == {2: town(2)}


async def test_many_keys_are_asked_for_in_parts(caller, upstream):
    upstream.answers["/o"] = 200, []

    await fetch(caller, list(range(1, 206)))
    assert [len(each["id__in"][0].split(",")) for each in queries(upstream)] == [100, 100, 5]
    upstream.requests.clear()
    await fetch(caller, list(range(1, 6)), batch_size=2, by="number", path="/o?size=9")
    assert sorted(each["number__in"][0] for each in queries(upstream)) == ["1,2", "3,4", "5"]
    assert all(each["size"] == ["9"] and "per_page" not in each for each in queries(upstream))


async def test_long_keys_stay_within_a_request_line(caller, upstream):
    upstream.answers["/o"] = 200, []

    await fetch(caller, [f"{number:02}" + "é" * 300 for number in range(9)])

    assert len(upstream.requests) == 3
    assert all(len(each["target"]) < 7000 for each in upstream.requests)


async def test_keys_that_no_call_can_name_have_no_object(caller, upstream):
    upstream.answers["/o"] = 200, []

    assert await fetch(caller, ["", "a,b", "x" * 7000]) == {}
    assert await fetch(caller, ["", ".", "..", "x" * 7000], "/o/{id}") == {}
    assert upstream.requests == []


async def test_the_number_of_concurrent_calls_is_bounded(caller, upstream):
    running, most = 0, 0
    turn = asyncio.Event()

    async def answer(reader, writer):
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            turn.set()
        await turn.wait()
        running -= 1
        writer.write(reply(404, {}))

    upstream.answers = {f"/o/{number}": answer for number in range(12)}

    assert await fetch(caller, list(range(12)), "/o/{id}", at_once=3) == {}
    assert (most, len(upstream.requests)) == (3, 12)


async def test_more_than_a_hundred_calls_are_refused(caller, upstream):
    with pytest.raises(InvalidInput) as info:
        await fetch(caller, list(range(101)), "/o/{id}")

    told = "These rows need 101 calls; expected 100 at most."
    assert info.value.error == {"query": {"expand": [told]}}
    assert upstream.requests == []


async def hang(reader, writer):
    await reader.read()


async def test_all_calls_together_end_in_time(caller, upstream):
    upstream.answers = {f"/o/{number}": hang for number in range(4)}

    with pytest.raises(UpstreamError) as info:
        await fetch(caller, list(range(4)), "/o/{id}", at_once=2, timeout=0.05)

    assert info.value.status_code == 504
    assert len(upstream.requests) == 2
    assert len(asyncio.all_tasks() - upstream.tasks) == 1


async def test_a_call_that_fails_ends_the_others(caller, upstream):
    async def fail(reader, writer):
        while len(upstream.requests) < 3:
            await asyncio.sleep(0)
        writer.write(reply(500, {}))

    upstream.answers = {"/o/0": hang, "/o/1": fail, "/o/2": hang}

    with pytest.raises(UpstreamError) as info:
        await fetch(caller, [0, 1, 2, 3, 4], "/o/{id}", at_once=3)

    assert (info.value.status_code, info.value.status) == (502, 500)
    assert len(upstream.requests) == 3
    assert len(asyncio.all_tasks() - upstream.tasks) == 1
