"""What the settings of the log do."""

import asyncio
import io
import json
import logging

import pytest

from msframework.log import TextFormatter, setup_logging
from tests.log.conftest import keep_logging  # noqa: F401 - a fixture


@pytest.mark.usefixtures("keep_logging")
def test_logging_config(read, tmp_path):
    config, log = tmp_path / "logging.yml", tmp_path / "out.log"
    config.write_text(
        "formatters: {lines: {(): msframework.log.JsonFormatter}}\n"
        f"handlers: {{file: {{class: logging.FileHandler, formatter: lines, filename: {log}}}}}\n"
        "root: {level: INFO, handlers: [file]}\n"
    )
    setup_logging(read(LOGGING_CONFIG=str(config), SERVICE_NAME="orders"))

    logging.getLogger("any").info("said")

    (handler,) = logging.getLogger().handlers
    handler.close()
    assert json.loads(log.read_text())["service"] == "orders"


@pytest.mark.usefixtures("keep_logging")
def test_log_format(read, monkeypatch):
    logging.getLogger().handlers = []
    monkeypatch.setattr("sys.stderr", io.StringIO())
    setup_logging(read(LOG_FORMAT="text"))

    assert isinstance(logging.getLogger().handlers[0].formatter, TextFormatter)


@pytest.mark.parametrize("wanted", [True, False])
async def test_access_log(serve, lines_of, wanted):
    written = lines_of("msframework.access")

    async with serve(ACCESS_LOG=wanted) as running:
        await running.ask("/nothing")

    assert any('"path":"/nothing"' in line for line in written) is wanted


async def test_redact(serve, lines_of):
    spans = lines_of("zipkin")

    def routes(service):
        @service.get("/tagged")
        async def tagged(request):
            request.span.set_tag("pin", "1234")
            request.span.set_tag("password", "seen")

    async with serve(routes, REDACT=("pin",)) as running:
        await running.ask("/tagged")
        await asyncio.sleep(0)

    (tags,) = [json.loads(line)["tags"] for line in "\n".join(spans).splitlines()]
    assert (tags["pin"], tags["password"]) == ("***", "seen")
