"""Both paths do the same for any bytes in any pieces: answers, connection and effects."""

import logging
import os
import random
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from msframework.serving.head import HEAD_END, read_head
from tests.serving.conftest import make_kiosk, make_shop
from tests.serving.fuzz import cut, make_stream
from tests.serving.stranger import street_of

STREAMS = 300  # for each of the seeds
SEEDS = [0, 1, *(pytest.param(seed, marks=pytest.mark.acceptance) for seed in (2, 3))]


async def compare(seed, count, make=make_shop):
    """Send *count* streams both ways, each way in pieces of its own; return what came of them."""
    chance, seen, feed = random.Random(seed), Counter(), seed % 2 == 1
    async with AsyncExitStack() as stack:
        fast, plain = [
            await stack.enter_async_context(street_of(make(lean, feed=feed)))
            for lean in (True, False)
        ]
        accept = fast.service._serving.accept

        def counted(http, data):
            accepted = accept(http, data)
            seen["lean"] += accepted is not None
            return accepted

        fast.service._serving.accept = counted
        for _ in range(count):
            stream = make_stream(chance, feed=feed)
            both = []
            for street in (fast, plain):
                street.service.done.clear()
                pieces = cut(chance, stream)
                outcome = await street.exchange(*pieces)
                both.append((outcome, list(street.service.done), pieces))
            (ours, did, pieces), (theirs, done, others) = both
            assert (ours, did) == (theirs, done), f"seed {seed}: {pieces} and {others}"
            assert 500 not in ours.statuses, pieces
            seen["streams"] += 1
            seen["closed"] += ours.closed
            seen["effects"] += len(did)
            seen.update(ours.statuses)
    return seen


def check(seen, count, capsys):
    """Hold that the streams were neither all refused nor all served, and show the counts."""
    with capsys.disabled():
        print(f"\n{dict(sorted(seen.items(), key=str))}")
    assert seen["streams"] == count
    for what in ("lean", "closed", "effects", 200, 400, 404, 405):
        assert seen[what] > count / 100, what


@pytest.mark.parametrize("seed", SEEDS)
async def test_both_paths_do_the_same(seed, caplog, capsys):
    check(await compare(seed, STREAMS), STREAMS, capsys)

    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_both_paths_do_the_same_for_a_parameter_of_the_root(capsys):
    check(await compare(6, STREAMS, make_kiosk), STREAMS, capsys)


@pytest.mark.parametrize("make", [make_shop, make_kiosk])
async def test_the_fast_path_takes_no_head_that_the_strict_reader_refuses(make):
    async with street_of(make(True)) as street:
        service, chance, taken = street.service, random.Random(7), 0
        http = (await street.meet(b"G")).protocol._http
        for _ in range(20 * STREAMS):
            data = make_stream(chance)
            accepted = service._serving.accept(http, data)
            if accepted is None:
                continue
            taken += 1
            request = accepted[0]
            head = read_head(data.partition(HEAD_END)[0], service._serving.head_limits)
            ours = (request.method, request.target, request.version)
            assert ours == (head.method, head.target, head.version), data
            assert (len(request.body), head.keep_alive) == (head.length or 0, True), data
            assert request.pairs == head.pairs, data

    assert taken > STREAMS


@pytest.mark.acceptance
@pytest.mark.timeout(3600)
async def test_both_paths_do_the_same_for_many_streams(capsys):
    seed = int(os.environ.get("FUZZ_SEED", "100"))
    count = int(os.environ.get("FUZZ_STREAMS", "10000"))

    check(await compare(seed, count), count, capsys)
