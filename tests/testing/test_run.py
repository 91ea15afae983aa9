"""`run`: the tests of a project, and the reports they leave."""

import importlib.util
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.testing import run
from tests.console import ROOT


@pytest.fixture
def project(tmp_path, monkeypatch, unwatched):
    (tmp_path / "shop.py").write_text(
        "def price(n):\n    return n * 2\n\n\ndef unused():\n    pass\n"
    )
    (tmp_path / "test_shop.py").write_text(
        "import shop\n\n\ndef test_price():\n    assert shop.price(2) == 4\n\n\n"
        "def test_wrong():\n    assert shop.price(2) == 5\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def test_reports_are_written_and_arguments_passed_on(project):
    # Of chosen tests no coverage is demanded.
    (project / ".coveragerc").write_text("[report]\nfail_under = 100\n")

    assert run(["-q", "-k", "price"]) == 0

    reports = project / "reports"
    suite = ET.parse(reports / "junit.xml").find(".//testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")
    coverage = ET.parse(reports / "coverage.xml").getroot()
    assert 0 < float(coverage.get("line-rate")) < 1
    assert ET.parse(reports / "clover.xml").getroot().tag == "coverage"
    assert (reports / "html" / "index.html").exists()


def test_the_fixtures_are_there_without_an_entry_point(project, monkeypatch):
    (project / "test_shop.py").write_text("def test_key(make_key):\n    assert make_key\n")
    # As where the framework comes from PYTHONPATH, and no distribution of it is installed.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    assert run(["-q"]) == 0


def test_too_little_coverage_fails_a_whole_run(project):
    (project / ".coveragerc").write_text(
        "[run]\nsource = .\nparallel = true\n[report]\nfail_under = 100\n"
    )
    (project / "test_shop.py").write_text("import shop\n\n\ndef test_one():\n    shop.price(1)\n")

    assert run() == 2


CONFIGURATION = "[run]\nsource = .\nparallel = true\n"


@pytest.mark.acceptance
@pytest.mark.parametrize("configuration", [None, CONFIGURATION + "patch = subprocess\n"])
def test_processes_share_the_tests_are_measured_and_say_what_failed(project, configuration):
    (project / "test_too.py").write_text("import shop\n\n\ndef test_too():\n    shop.unused()\n")
    if configuration is not None:
        (project / ".coveragerc").write_text(configuration)

    assert run(["-q"], parallel="2") == 1

    suite = ET.parse(project / "reports" / "junit.xml").find(".//testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    classes = ET.parse(project / "reports" / "coverage.xml").getroot().iter("class")
    assert {each.get("filename"): float(each.get("line-rate")) for each in classes}["shop.py"] == 1


def test_processes_that_coverage_does_not_watch_are_an_error(project):
    (project / ".coveragerc").write_text(CONFIGURATION)

    with pytest.raises(ImproperlyConfigured, match=r'needs patch = \["subprocess"\]'):
        run(parallel="2")


def test_processes_need_xdist(project, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "xdist" else found(name)
    )

    with pytest.raises(ImproperlyConfigured, match="need pytest-xdist"):
        run(parallel="2")


def test_missing_tools_are_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(ImproperlyConfigured, match=r"msframework\[test\]"):
        run()


def test_nothing_of_it_needs_pytest():
    code = "import sys; sys.modules['pytest'] = None; import msframework.testing"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
