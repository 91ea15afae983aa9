"""The declarations: complete, apart, and documented."""

import pytest

from msframework.conf.catalogue import declarations
from msframework.conf.convert import from_python
from msframework.conf.findings import Findings
from msframework.conf.settings import ServiceEntry, Settings


def test_every_setting_is_known_by_its_name_and_explained():
    for name, declared in declarations().items():
        assert name == declared.name == declared.name.upper()
        assert declared.help.strip()


def test_every_default_would_be_taken_from_a_module():
    for declared in declarations().values():
        findings = Findings()

        typed = from_python(declared, declared.default, "defaults", findings)

        assert findings.problems == []
        assert typed == declared.default == declared.read(Settings())


def test_defaults_are_not_shared_between_settings():
    assert Settings().extra is not Settings().extra


def test_headers_of_a_service_are_in_no_repr():
    assert "s3cret" not in repr(ServiceEntry("a", "http://a", headers={"Key": "s3cret"}))


@pytest.mark.parametrize("name", ["DRAIN_DELAY", "GRACEFUL_SHUTDOWN_TIMEOUT", "PART_STOP_TIMEOUT"])
def test_a_time_of_the_stop_that_no_system_call_takes_is_refused(problems, name):
    (text,) = problems(f"{name} = 1e9")

    assert f"{name} is 1000000000.0 (type float); expected a number from 0 to " in text
