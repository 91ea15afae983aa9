import asyncio

import pytest

from msframework.pace import Pace
from msframework.tracing import Tracer
from msframework.tracing.exporter import PIECE, encode_all
from msframework.tracing.redact import Redactor
from msframework.tracing.zipkin import Encoder


def note_turns():
    """Return a list that grows with each turn of the loop until it is cancelled, and its task."""
    turns = []

    async def run():
        while True:
            turns.append(None)
            await asyncio.sleep(0)

    return turns, asyncio.create_task(run())


@pytest.mark.parametrize(("piece_time", "expected"), [(0.0, 3), (60.0, 0)])
async def test_requests_run_when_the_time_of_a_piece_is_over_and_not_before(
    monkeypatch, piece_time, expected
):
    monkeypatch.setattr("msframework.pace.PIECE_TIME", piece_time)
    turns, task = note_turns()
    pace = Pace()
    for _ in range(3):
        await pace.rest()
    task.cancel()

    assert len(turns) == expected


async def test_spans_are_encoded_in_pieces_and_in_their_order(monkeypatch):
    monkeypatch.setattr("msframework.pace.PIECE_TIME", 0.0)
    tracer = Tracer()
    for number in range(2 * PIECE + 1):
        tracer.start_span(f"span {number}").finish()
    spans, encoder = tracer.recorder.spans, Encoder("users", Redactor())
    turns, task = note_turns()
    encoded = await encode_all(encoder, spans, Pace())
    task.cancel()

    assert encoded == [encoder.encode(span) for span in spans]
    assert len(turns) == 3
