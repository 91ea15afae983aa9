"""The operations port, whoever asks: probes, several at once, and clients that mean no good."""

import json
import logging
import os
import resource
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from msframework.operations import server as module
from msframework.operations.source import Report
from tests.operations.conftest import SteeredSource, operations_of, read_answer

GET = "GET {} HTTP/1.1\r\nHost: a\r\n\r\n"


def ask(sock, path, method="GET"):
    """Send one request and read its answer."""
    sock.sendall(GET.format(path).replace("GET", method, 1).encode())
    return read_answer(sock)


def test_one_connection_asks_all(connect, source):
    sock = connect()

    live, ready, metrics = (ask(sock, path) for path in module.PATHS)

    assert (live[0], json.loads(live[2])) == (200, {"status": "live", "parts": {"loop": "ok"}})
    assert (ready[0], json.loads(ready[2])) == (200, {"status": "ready", "parts": {"db": "ok"}})
    assert (metrics[0], metrics[1]["content-type"], metrics[2]) == (200, "text/plain", b"up 1\n")
    assert live[1]["cache-control"] == metrics[1]["cache-control"] == "no-store"


def test_what_is_not_ready_is_503_and_says_why(connect, source):
    source.ready = Report(False, {"db": "no answer"})
    source.live = Report(False, {"loop": "it has not turned for 9 s"})
    sock = connect()

    live, ready = ask(sock, "/livez"), ask(sock, "/readyz")

    assert (live[0], json.loads(live[2])["status"]) == (503, "not live")
    assert (ready[0], json.loads(ready[2])["parts"]) == (503, {"db": "no answer"})


def test_head_has_the_head_of_get(connect, source):
    sock = connect()

    head = ask(sock, "/metrics", "HEAD")
    after = ask(sock, "/livez")

    assert (head[0], head[1]["content-length"], head[2]) == (200, "5", b"")
    assert after[0] == 200


def test_other_paths_and_methods_are_refused(connect, source):
    sock = connect()

    missing, other = ask(sock, "/admin"), ask(sock, "/livez", "DELETE")

    assert missing[0] == 404
    assert (other[0], other[1]["allow"], other[1]["connection"]) == (405, "GET, HEAD", "close")
    assert sock.recv(1) == b""


def test_requests_that_come_together_are_answered_in_turn(connect, source):
    sock = connect()
    sock.sendall(GET.format("/livez").encode() * 2 + GET.format("/x").encode())

    data = b""
    while data.count(b"HTTP/1.1 ") < 3 or not data.endswith(b"}"):
        data += sock.recv(65536)

    assert [each[:3] for each in data.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"404"]


def test_a_body_is_refused_and_the_answer_arrives(connect, source):
    sock = connect()
    sock.sendall(b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50000)

    assert read_answer(sock)[0] == 400


def test_a_head_beyond_its_bound_is_refused(connect, source):
    sock = connect()
    sock.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\na: " + b"x" * 20_000)

    assert read_answer(sock)[0] == 431


def test_the_openmetrics_of_a_scraper_are_asked_for(connect, source):
    sock = connect()
    sock.sendall(
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text\r\n\r\n"
    )

    assert read_answer(sock)[0] == 200
    assert source.accepted == ["application/openmetrics-text"]


def test_probes_at_once_share_one_question(connect, source):
    asked, free = [], threading.Event()

    def check():
        asked.append(True)
        free.wait(60)
        return Report(True)

    source.ready = check
    socks = [connect() for _ in range(5)]
    for sock in socks:
        sock.sendall(GET.format("/readyz").encode())
    live = ask(connect(), "/livez")  # is not kept waiting
    free.set()

    assert live[0] == 200
    assert [read_answer(sock)[0] for sock in socks] == [200] * 5
    assert len(asked) == 1


def test_scrapers_that_ask_for_one_form_in_many_ways_share_one_answer(connect, source):
    free = threading.Event()

    def render():
        free.wait(60)
        return b"up 1\n"

    source.metrics = render
    socks = [connect() for _ in range(20)]
    for number, sock in enumerate(socks):
        line = f"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: text/x-{number}\r\n\r\n"
        sock.sendall(line.encode())
    ready = ask(connect(), "/readyz")  # is not kept waiting
    free.set()

    assert ready[0] == 200
    assert {read_answer(sock)[0] for sock in socks} == {200}
    assert len(source.accepted) <= 2  # a second where one came after the first was answered


def test_a_source_that_fails_is_500_and_logged_once(connect, source, caplog):
    def fail():
        raise RuntimeError("secret")

    source.live = source.ready = source.metrics = fail
    sock = connect()

    answers = [ask(sock, path) for path in (*module.PATHS, *module.PATHS)]

    assert [answer[0] for answer in answers] == [500] * 6
    assert not any(b"secret" in answer[2] for answer in answers)
    assert sorted(caplog.messages) == ["/livez failed", "/metrics failed", "/readyz failed"]


def test_a_source_beyond_its_bound_is_not_waited_for(connect, source, monkeypatch):
    monkeypatch.setattr(module, "_READY_TIMEOUT", 0.05)
    monkeypatch.setattr(module, "_METRICS_TIMEOUT", 0.05)
    free = threading.Event()

    def hang():
        free.wait(60)
        return Report(True)

    source.ready, source.metrics = hang, hang
    sock = connect()
    ready, metrics = ask(sock, "/readyz"), ask(sock, "/metrics")
    free.set()

    assert (ready[0], json.loads(ready[2])["parts"]) == (503, {"service": "no answer"})
    assert metrics[0] == 503


def test_silent_and_slow_clients_do_not_keep_others_out(connect, source):
    silent = [connect() for _ in range(module._MOST)]
    for sock in silent[::2]:
        sock.sendall(b"GET /livez HTT")

    answers = [ask(connect(), "/livez")[0] for _ in range(5)]

    assert answers == [200] * 5
    assert silent[0].recv(1) == b""  # the oldest made room


def test_silent_and_slow_clients_are_closed_in_time(connect, source, monkeypatch):
    monkeypatch.setattr(module, "_HEAD_TIMEOUT", 0.1)
    monkeypatch.setattr(module, "_IDLE_TIMEOUT", 0.1)
    silent, slow, idle = connect(), connect(), connect()
    slow.sendall(b"GET /livez HTTP/1.1\r\n")
    assert ask(idle, "/livez")[0] == 200

    assert silent.recv(1) == b""
    assert read_answer(slow)[0] == 408
    assert idle.recv(1) == b""


def is_established(sock):
    """Tell whether the other side of *sock* has not closed it, as the kernel sees that."""
    (_, port), (_, peer) = sock.getsockname(), sock.getpeername()
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    ends = [line.split()[1:4] for line in lines]
    return any(
        (int(here[9:], 16), int(there[9:], 16), state) == (peer, port, "01")
        for here, there, state in ends
    )


def test_a_client_that_does_not_read_is_cut_off(connect, source, monkeypatch):
    monkeypatch.setattr(module, "_HEAD_TIMEOUT", 0.2)
    source.metrics = b"#" * 20_000_000
    sock = connect()
    sock.sendall(GET.format("/metrics").encode())
    assert ask(connect(), "/livez")[0] == 200

    deadline = time.monotonic() + 60
    while is_established(sock):  # the client hears nothing of the end before it reads
        assert time.monotonic() < deadline
        time.sleep(0.02)
    received = 0
    try:
        while piece := sock.recv(1 << 20):
            received += len(piece)
    except ConnectionResetError:
        pass

    assert received < 20_000_000


def test_a_large_answer_arrives_whole(connect, source):
    source.metrics = b"#" * 3_000_000
    sock = connect()
    sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")

    data = b""
    while piece := sock.recv(65536):
        data += piece

    assert len(data.partition(b"\r\n\r\n")[2]) == 3_000_000


@pytest.mark.parametrize(
    "junk",
    [b"\x00" * 100, b"\r\n\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", b"GET"],
    ids=["nul", "lines", "tls", "short"],
)
def test_junk_ends_its_own_connection_alone(connect, source, junk, caplog):
    sock = connect()
    sock.sendall(junk)
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(65536):
        pass

    assert ask(connect(), "/livez")[0] == 200
    assert caplog.messages == []


def test_the_stop_answers_what_was_asked_and_closes_the_port():
    source, asked, free = SteeredSource(), threading.Event(), threading.Event()
    others = set(threading.enumerate())

    def check():
        asked.set()
        free.wait(60)
        return Report(False, {"service": "draining"})

    source.ready = check
    with operations_of(source) as address:
        idle = socket.create_connection(address, timeout=30)
        assert ask(idle, "/livez")[0] == 200
        sock = socket.create_connection(address, timeout=30)
        sock.sendall(GET.format("/readyz").encode())
        asked.wait(60)
        threading.Timer(0.1, free.set).start()

    answer = read_answer(sock)
    assert (answer[0], answer[1]["connection"]) == (503, "close")
    assert idle.recv(1) == b""
    idle.close()
    sock.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=30)
    left = set(threading.enumerate()) - others
    assert not [each for each in left if each.name == "operations"]


def test_a_socket_that_is_none_is_logged_and_ends_nothing(caplog):
    sock = socket.socket()  # does not listen
    sock.close()
    server = module.OperationsServer(sock, SteeredSource())
    with caplog.at_level(logging.ERROR):
        server.start()
        server._thread.join(60)
    server.stop()
    server.stop()

    assert "The operations port is closed, as its server failed" in caplog.text


def test_signals_are_left_to_the_main_thread(connect, source):
    masks = []
    source.live = lambda: masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, [])) or Report(True)

    ask(connect(), "/livez")

    assert {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM} <= masks[0]


def test_a_process_without_descriptors_says_so_once_and_answers_again(connect, source, caplog):
    silent = connect()
    answered = connect()
    assert ask(answered, "/livez")[0] == 200
    taken, limit = [], resource.getrlimit(resource.RLIMIT_NOFILE)
    waiting = [socket.socket() for _ in range(20)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 64, limit[1]))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for sock in waiting:
            sock.connect(answered.getpeername())
        assert silent.recv(1) == b""  # it made room
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)

    assert ask(connect(), "/livez")[0] == 200
    assert caplog.messages == [
        "Connections to the operations port have to wait: Too many open files"
    ]
    for sock in waiting:
        sock.close()
