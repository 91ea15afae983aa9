import logging
from pathlib import Path

import pytest
import yaml

from msframework.conf.settings import LogSettings, Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.log import JsonFormatter, setup_logging
from msframework.log.setup import DEFAULT

pytestmark = pytest.mark.usefixtures("keep_logging")
SHIPPED = Path(__file__).resolve().parents[2] / "settings" / "logging.yml"


def make_settings(path=None, **log):
    config = None if path is None else str(path)
    return Settings(service_name="users", log=LogSettings(config=config, **log))


@pytest.fixture
def root():
    """Return a function that gives the root logger, without the handlers that pytest gave it."""

    def clear():
        logging.getLogger().handlers = []
        return logging.getLogger()

    return clear


def test_without_a_file_lines_are_json_on_standard_error(read_lines, root):
    root()
    setup_logging(make_settings(redact=("pin",)))
    logging.getLogger("apps.users").info("pin=%s", 1, extra={"pin": 2})

    (line,) = read_lines()
    assert (line["service"], line["message"], line["pin"]) == ("users", "pin=***", "***")


def test_the_console_follows_standard_error(root, monkeypatch, tmp_path):
    root()
    setup_logging(make_settings())
    with (tmp_path / "err").open("w+") as file:
        monkeypatch.setattr("sys.stderr", file)
        logging.getLogger("a").warning("there")
        file.seek(0)
        assert "there" in file.read()
    monkeypatch.undo()


def test_the_shipped_file_says_what_the_default_does(read_lines):
    assert yaml.safe_load(SHIPPED.read_text()) == DEFAULT
    setup_logging(make_settings(SHIPPED))
    logging.getLogger("msframework.access").info("x")

    assert read_lines()[0]["service"] == "users"


def test_a_file_handler_from_the_file(tmp_path):
    target = tmp_path / "service.log"
    path = tmp_path / "logging.yml"
    path.write_text(
        f"""
formatters:
  json: {{class: msframework.log.JsonFormatter}}
handlers:
  file: {{class: logging.FileHandler, formatter: json, filename: {target}}}
  late: {{class: logging.handlers.MemoryHandler, capacity: 1, target: file}}
root: {{level: INFO, handlers: [late]}}
"""
    )
    setup_logging(make_settings(path))
    logging.getLogger("before").info("hello")
    file = logging.getLogger().handlers[0].target
    logging.shutdown([lambda: logging.getLogger().handlers[0], lambda: file])

    assert isinstance(file.formatter, JsonFormatter)
    assert '"service":"users"' in target.read_text()


def test_a_program_that_configured_logging_keeps_its_handlers(root):
    mine = logging.NullHandler()
    root().addHandler(mine)
    setup_logging(make_settings())

    assert logging.getLogger().handlers == [mine]


def test_the_name_is_that_of_the_last_service_unless_the_file_says_one(root):
    root()
    setup_logging(make_settings())
    setup_logging(Settings(service_name="roles"))
    (handler,) = logging.getLogger().handlers
    assert handler.formatter.service == "roles"

    handler.setFormatter(JsonFormatter(service="mine"))
    setup_logging(make_settings())
    assert handler.formatter.service == "mine"


def test_loggers_that_exist_stay_on(tmp_path):
    path = tmp_path / "logging.yml"
    path.write_text("root: {level: INFO}")
    existing = logging.getLogger("test.existing")
    setup_logging(make_settings(path))

    assert not existing.disabled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("a: [", "is no YAML"),
        ("\udcff", "is no YAML"),
        ("- a", "holds list, not a mapping"),
        ("version: 2", "logging refuses it"),
        ("handlers: {f: {class: logging.FileHandler, filename: /nowhere/a.log}}", "No such file"),
        ("handlers: {f: {class: nowhere.Handler}}", "logging refuses it"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(tmp_path, text, message):
    path = tmp_path / "logging.yml"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(ImproperlyConfigured, match=message) as caught:
        setup_logging(make_settings(path))

    assert str(path) in str(caught.value)
