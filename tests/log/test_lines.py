import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msframework.log.encode import MAX_LINE
from msframework.log.lines import AccessLines
from msframework.tracing import Tracer
from tests.examples import some_examples

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def entry(**changes):
    now = time.perf_counter()
    facts = {
        "ended": now,
        "began": now - 0.0125,
        "method": "GET",
        "path": "/",
        "status": 200,
        "size": 0,
        "address": "192.0.2.7",
        "request_id": "a",
        "span": None,
    }
    return tuple((facts | changes).values())


def read(*entries, service="users"):
    return [orjson.loads(line) for line in AccessLines(service).format(entries).split("\n")]


@some_examples
@given(texts, texts, texts, texts, texts)
def test_whatever_callers_send_a_line_is_json(service, method, path, address, request_id):
    facts = {"method": method, "path": path, "address": address, "request_id": request_id}

    same = entry(**facts)
    first, again = read(same, same, service=service)

    assert first == again
    assert first["message"] == f"{method} {path} 200"
    assert (first["service"], first["method"], first["path"]) == (service, method, path)
    assert (first["client_ip"], first["request_id"]) == (address, request_id)


def test_lone_surrogates_and_other_objects_are_text():
    first, second = read(entry(path="/\ud800", address=None, request_id=7), entry(path="/\u2028"))

    assert first["path"] == "/\\ud800"
    assert (first["client_ip"], first["request_id"]) == ("None", "7")
    assert second["path"] == "/\u2028"


def test_classes_of_users_are_text_and_numbers():
    class Name(str):
        pass

    class Number(int):
        pass

    (line,) = read(entry(method=Name("GET"), address=Name("::1"), status=Number(201)))

    assert (line["method"], line["client_ip"], line["status"]) == ("GET", "::1", 201)


def test_times_are_those_of_each_request():
    now = time.perf_counter()
    lines = read(
        entry(ended=now - 3600, began=now - 3601.0005),
        entry(ended=now, began=now),
        entry(ended=now, began=None),
    )

    earlier, later = (line["@timestamp"] for line in lines[:2])
    assert len(earlier) == len(later) == len("2026-01-01T00:00:00.000Z")
    assert earlier < later
    assert [line["duration_ms"] for line in lines[1:]] == [0, None]
    assert abs(lines[0]["duration_ms"] - 1000.5) < 0.002


def test_a_tracer_that_is_off_gives_no_ids():
    (line,) = read(entry(span=Tracer(enabled=False).start_span("a")))

    assert "trace_id" not in line


@pytest.mark.parametrize("path", ["/" * 100_000, "/\x01" * 50_000, "/\ud800" * 10_000])
def test_a_path_that_is_far_too_long_is_cut_and_the_others_stay(path):
    usual = entry(path="/usual")

    lines = AccessLines("a").format([usual, entry(path=path), usual]).split("\n")

    assert all(len(line) <= MAX_LINE for line in lines)
    paths = [orjson.loads(line)["path"] for line in lines]
    assert (paths[0], paths[2]) == ("/usual", "/usual")
    assert "characters left out" in paths[1]
