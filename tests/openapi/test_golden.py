"""The documents of the example apps, and of a service with every kind of access, as they were last
agreed on, in each version of OpenAPI.

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
@pytest.mark.parametrize(
    ("module", "prefix"), [("settings.test", ""), ("tests.openapi.guarded.settings", "guarded-")]
)
def test_the_document_is_the_one_agreed_on(module, prefix, version):
    settings = load_settings(module, environ={})
    settings = replace(settings, openapi=replace(settings.openapi, version=version))

    found = build_document(create_app(settings).operations, settings)

    validate(found)
    agreed = GOLDEN / f"{prefix}{version}.yaml"
    assert found == yaml.safe_load(agreed.read_text(encoding="utf-8"))
