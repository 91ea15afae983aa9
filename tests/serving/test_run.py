"""`run`: a service from its start to its end, as Sanic documents its life."""

import asyncio
import logging
import socket
from contextlib import suppress

import pytest

from msframework.serving.run import ServiceRun
from msframework.serving.signals import StopRequest
from tests.serving.running import Running, read_answer, request, running


class Recorder:
    """A part that writes down what is done to it."""

    def __init__(self, done):
        self.done = done

    async def start(self):
        self.done.append("part start")

    async def stop(self):
        self.done.append("part stop")


EVENTS = (
    "main_process_start",
    "main_process_ready",
    "main_process_stop",
    "before_server_start",
    "after_server_start",
    "before_server_stop",
    "after_server_stop",
)


@pytest.fixture
def done():
    """Return what was done, in its order."""
    return []


@pytest.fixture
def service(make_service, done):
    """Return a service that writes down its life."""
    service = make_service(server={"part_stop_timeout": 0.2, "graceful_timeout": 2.0})
    service.add_part(Recorder(done))

    def listen(event):
        async def note(app, loop=None):
            done.append(event)

        service.register_listener(note, event)

    for event in EVENTS:
        listen(event)

    @service.get("/stop")
    async def stop(request):
        request.app.stop()
        await asyncio.sleep(0)
        return {"state": request.app.state.is_running}

    return service


async def test_a_service_lives_as_sanic_documents_it(service, done):
    state = service.state
    service.ack = lambda: done.append("ack")

    @service.signal("server.init.after")
    async def note(app, loop):
        done.append("signal")

    async with running(service) as run:
        assert (state.is_started, state.is_running) == (True, True)
        assert service.state.stage.name == "SERVING"
        done.append("serving")
        run.stop.make()
        assert await run.end() == 0

    assert (state.is_running, service.state.stage.name) == (False, "STOPPED")
    assert done == [
        "part start",
        "before_server_start",
        "ack",
        "after_server_start",
        "signal",
        "serving",
        "before_server_stop",
        "after_server_stop",
        "part stop",
    ]


async def test_a_handler_may_stop_its_service_and_is_answered(service, done):
    async with running(service) as run:
        reader, writer = await run.send(request("/stop"))
        head, _ = await read_answer(reader)
        assert head.startswith(b"http/1.1 200 ")
        assert await run.end() == 0
        writer.close()

    assert done[-1] == "part stop"


async def test_one_process_is_the_main_one_too(service, done):
    run = Running(service, supervised=False)
    await run.serving.wait()
    reader, writer = await run.send(request("/stop", headers=b"Connection: close\r\n"))
    await read_answer(reader)
    assert await run.end() == 0
    writer.close()

    assert done[:2] == ["main_process_start", "main_process_ready"]
    assert done[-1] == "main_process_stop"


async def test_files_are_read_anew_once_a_service_serves(make_service):
    service, told = make_service(), []
    sock = socket.create_server(("127.0.0.1", 0))
    # NOTE: in a thread, as a watchdog made in the main one would end this process.
    arguments = (service, sock, lambda: None, StopRequest(), None, False)
    run = await asyncio.to_thread(ServiceRun, *arguments)
    run._reload = lambda: told.append(service.state.is_running)

    async def ask(app):
        run._ask_reload()

    async def ask_again(app):
        app.state.is_running = True
        run._ask_reload()
        run._stop.make()

    service.register_listener(ask, "before_server_start")
    service.add_task(ask_again)
    assert await asyncio.to_thread(run.run) == 0

    assert told == [True, True]


async def test_tasks_are_cancelled_and_awaited_before_the_parts_stop(service, done):
    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            done.append("task over")

    async def begin(app):
        app.add_task(work(), name="work")

    service.register_listener(begin, "after_server_start")
    async with running(service):
        pass

    assert done.index("task over") < done.index("after_server_stop")


async def test_a_start_that_fails_stops_the_parts_and_says_why(service, done):
    async def fail(app):
        raise LookupError("no start")

    service.register_listener(fail, "before_server_start")

    with pytest.raises(LookupError, match="no start"):
        async with running(service):
            pass

    assert done == ["part start", "before_server_start", "part stop"]


@pytest.mark.parametrize("kind", [SystemExit, asyncio.CancelledError])
async def test_a_start_that_ends_itself_stops_the_parts_and_is_no_success(service, done, kind):
    async def leave(app):
        raise kind

    service.register_listener(leave, "before_server_start")
    run = Running(service)
    await asyncio.wait_for(run.ended.wait(), 15)

    expected = SystemExit if kind is SystemExit else RuntimeError
    assert type(run.result) is expected
    assert done == ["part start", "before_server_start", "part stop"]


async def test_a_task_that_raises_system_exit_ends_no_worker(service, caplog):
    async def leave():
        raise SystemExit("asked to leave")

    @service.get("/leave")
    async def ask(request):
        await asyncio.create_task(leave())

    @service.get("/one")
    async def one(request):
        return {"n": 1}

    async with running(service) as run:
        reader, writer = await run.send(request("/leave"))
        assert await reader.read() == b""
        writer.close()
        reader, writer = await run.send(request("/one"))
        assert (await read_answer(reader))[0].startswith(b"http/1.1 200")
        writer.close()

    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert sorted(said) == ["A task raised SystemExit", "GET /leave failed: SystemExit"]


@pytest.mark.parametrize("event", ["before_server_start", "after_server_start"])
async def test_a_stop_amid_the_start_breaks_it_off(service, done, event):
    waits = asyncio.Event()

    async def wait(app):
        run.tell(waits)
        await asyncio.Event().wait()

    service.register_listener(wait, event)
    run = Running(service)
    await waits.wait()
    run.stop.make()

    assert await run.end() == 0
    assert done[-1] == "part stop"
    assert ("after_server_stop" in done) == (event == "after_server_start")


async def test_a_listener_that_swallows_its_cancellation_keeps_nothing_from_stopping(service, done):
    waits = asyncio.Event()

    async def swallow(app):
        run.tell(waits)
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    service.register_listener(swallow, "before_server_start")
    run = Running(service)
    await waits.wait()
    run.stop.make()

    assert await run.end() == 0
    assert done == ["part start", "before_server_start", "part stop"]


async def test_listeners_that_hang_or_fail_keep_no_part_from_stopping(make_service, caplog):
    service = make_service(server={"graceful_timeout": 0.05, "part_stop_timeout": 0.05})
    done = []
    service.add_part(Recorder(done))

    async def hang(app):
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if done:
                    raise

    async def fail(app):
        raise LookupError("no stop")

    service.register_listener(fail, "before_server_stop")
    service.register_listener(hang, "after_server_stop")
    async with running(service):
        pass

    assert done[-1] == "part stop"
    said = [record.getMessage() for record in caplog.records if record.name.endswith("lifecycle")]
    assert said == [
        "a listener before_server_stop failed to stop",
        "a listener after_server_stop did not stop within 0.05 s",
    ]


async def test_parts_have_their_own_time_however_short_that_of_requests_is(make_service, caplog):
    service = make_service(server={"graceful_timeout": 0.01, "part_stop_timeout": 60.0})
    done = []

    class Slow(Recorder):
        async def stop(self):
            await asyncio.sleep(0.1)
            await super().stop()

    service.add_part(Slow(done))
    service.add_part(Slow(done))
    async with running(service):
        pass

    assert done == ["part start", "part start", "part stop", "part stop"]


async def test_a_start_that_ignores_its_end_is_left_behind(make_service, caplog):
    service = make_service(server={"part_stop_timeout": 0.05})
    loop, waits = asyncio.get_running_loop(), asyncio.Event()

    async def ignore(app):
        loop.call_soon_threadsafe(waits.set)
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.1)
            if run.ended.is_set():
                return

    service.register_listener(ignore, "before_server_start")
    run = Running(service)
    await waits.wait()
    run.stop.make()

    assert await run.end() == 0
    assert "The start goes on though it was cancelled" in caplog.text


async def test_a_request_to_stop_is_made_once():
    stop = StopRequest()
    stop.make(delay=False)
    stop.make(delay=True)

    await stop.wait()
    assert (stop.is_made, stop.has_delay) == (True, False)


async def test_the_log_says_when_a_worker_is_ready_and_over(service, caplog):
    caplog.set_level(logging.INFO, "sanic.server")
    async with running(service):
        pass

    said = [
        record.getMessage().partition(" [")[0]
        for record in caplog.records
        if record.name == "sanic.server"
    ]
    assert said == ["Starting worker", "Worker ready", "Stopping worker", "Worker complete"]
