"""The head of a request to the operations port, and the bytes of its answer."""

import json
from http import HTTPStatus

import pytest

from msframework.operations.exchange import (
    OperationsAnswer,
    OperationsRequest,
    UnfitRequest,
    answer_report,
    read_request,
    write_answer,
)
from msframework.operations.source import Report

HOST = b"Host: a\r\n"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET /livez HTTP/1.1\r\n" + HOST, OperationsRequest("GET", "/livez", "", True)),
        (b"HEAD /readyz?a=b HTTP/1.1\r\n" + HOST, OperationsRequest("HEAD", "/readyz", "", True)),
        (b"GET http://a:1/livez HTTP/1.1\r\n" + HOST, OperationsRequest("GET", "/livez", "", True)),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST, OperationsRequest("OPTIONS", "*", "", True)),
        (b"GET / HTTP/1.0\r\n", OperationsRequest("GET", "/", "", False)),
        (
            b"GET / HTTP/1.1\r\nConnection: x, Close\r\n" + HOST,
            OperationsRequest("GET", "/", "", False),
        ),
        (
            b"GET / HTTP/1.1\r\nACCEPT: text/plain\r\naccept:\ta/b \r\n" + HOST,
            OperationsRequest("GET", "/", "text/plain, a/b", True),
        ),
        (
            b"GET / HTTP/1.1\r\nContent-Length: 0\r\n" + HOST,
            OperationsRequest("GET", "/", "", True),
        ),
    ],
    ids=["get", "query", "absolute", "star", "old", "close", "accept", "no body"],
)
def test_a_head_says_what_is_asked(head, expected):
    assert read_request(head + b"\r\n") == expected


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"\x16\x03\x01\x02", 400),
        (b"GET /livez", 400),
        (b"GET  /livez HTTP/1.1\r\n" + HOST, 400),
        (b"GET /livez HTTP/1.1 \r\n" + HOST, 400),
        (b"GET /li vez HTTP/1.1\r\n" + HOST, 400),
        (b"GET /\xff HTTP/1.1\r\n" + HOST, 400),
        (b"GET http://[/livez HTTP/1.1\r\n" + HOST, 400),
        (b"PRI * HTTP/2.0\r\n", 505),
        (b"GET / HTTP/1.1\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST, 400),
        (b"GET / HTTP/1.1\r\n folded: a\r\n" + HOST, 400),
        (b"GET / HTTP/1.1\r\nname : a\r\n" + HOST, 400),
        (b"GET / HTTP/1.1\r\na: b\x00\r\n" + HOST, 400),
        (b"GET / HTTP/1.1\r\na: b\n\r\n" + HOST, 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n" + HOST, 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n" + HOST, 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n" + HOST, 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST, 400),
    ],
)
def test_what_is_no_request_is_refused(head, status):
    with pytest.raises(UnfitRequest) as caught:
        read_request(head + b"\r\n")

    assert caught.value.status == status


def test_a_long_head_that_is_wrong_is_refused():
    head = b"GET / HTTP/1.1\r\n" + HOST + b"a:" + b" \t" * 4000 + b"\x00\r\n\r\n"

    with pytest.raises(UnfitRequest):
        read_request(head)


def test_a_report_names_its_parts_as_they_are():
    answer = answer_report(Report(False, {"db": "no answer", "mailer": None}), "ready")

    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert json.loads(answer.body) == {
        "status": "not ready",
        "parts": {"db": "no answer", "mailer": "ok"},
    }
    assert answer_report(Report(True), "live").status == HTTPStatus.OK


def test_an_answer_is_not_stored_and_has_no_body_for_head():
    answer = OperationsAnswer(HTTPStatus.OK, b"{}", allow="GET")

    whole = write_answer(answer, has_body=True, keep_alive=False)
    head, _, body = whole.partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 OK\r\nDate: ")
    assert b"\r\nCache-Control: no-store\r\n" in head
    assert b"\r\nContent-Length: 2\r\n" in head
    assert head.endswith(b"\r\nAllow: GET\r\nConnection: close")
    assert body == b"{}"
    kept = write_answer(answer, has_body=False, keep_alive=True)
    assert b"Content-Length: 2" in kept
    assert kept.endswith(b"Allow: GET\r\n\r\n")
