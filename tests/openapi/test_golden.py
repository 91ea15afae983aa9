"""The document of the example apps as it was last agreed on, in each version of OpenAPI.

`make golden` writes the files anew; what changed in them is what a client sees.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from openapi_spec_validator import validate

from msframework.app import create_app
from msframework.conf.loader import load_settings
from msframework.openapi.spec import build_document

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_the_document_of_the_example_apps_is_the_one_agreed_on(version):
    settings = load_settings("settings.test", environ={})
    settings = replace(settings, openapi=replace(settings.openapi, version=version))

    found = build_document(create_app(settings).operations, settings)

    validate(found)
    assert found == yaml.safe_load((GOLDEN / f"{version}.yaml").read_text(encoding="utf-8"))
