"""The loop that sends a request again: how often, and what ends it."""

import asyncio

import aiohttp
import pytest
from yarl import URL

from msframework.client.connector import ReplayableRequest
from msframework.client.replay import IDEMPOTENT, send_replayable


class Sending:
    """A request whose attempts end as *outcomes* say: an exception, or a result."""

    def __init__(self, *outcomes, reused=True, replayable=True):
        self.outcomes, self.reused, self.replayable = list(outcomes), reused, replayable

    async def send(self):
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


LOST = [aiohttp.ClientOSError(), aiohttp.ServerDisconnectedError()]


async def test_a_request_goes_out_again_while_reused_connections_are_lost():
    sending = Sending(*LOST, "answer")

    assert await send_replayable(sending, Sending.send) == "answer"
    assert sending.outcomes == []


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("fact", ["reused", "replayable"])
async def test_a_fresh_connection_or_a_request_of_effect_gets_no_second_attempt(lost, fact):
    sending = Sending(lost, "answer", **{fact: False})

    with pytest.raises(type(lost)):
        await send_replayable(sending, Sending.send)
    assert sending.outcomes == ["answer"]


@pytest.mark.parametrize("failure", [TimeoutError(), aiohttp.ClientPayloadError(), ValueError()])
async def test_another_failure_ends_it(failure):
    sending = Sending(failure, "answer")

    with pytest.raises(type(failure)):
        await send_replayable(sending, Sending.send)
    assert sending.outcomes == ["answer"]


@pytest.mark.parametrize("method", [*sorted(IDEMPOTENT), "POST", "PATCH", "PURGE"])
async def test_a_request_of_aiohttp_is_replayable_by_its_method(method):
    request = ReplayableRequest(method, URL("http://h/"), loop=asyncio.get_running_loop())

    assert request.replayable is (method in IDEMPOTENT)
