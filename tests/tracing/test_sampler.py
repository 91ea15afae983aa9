from dataclasses import replace

import pytest

from msframework.conf.settings import ServerSettings, Settings, TracingSettings
from msframework.tracing import Sampler
from msframework.tracing.sampler import build_sampler


@pytest.mark.parametrize(("rate", "least", "most"), [(0, 0, 0), (1, 1000, 1000), (0.1, 50, 160)])
def test_the_rate_is_the_share_of_traces(rate, least, most):
    sampler = Sampler(rate)

    assert least <= sum(sampler.decide("get /") for _ in range(1000)) <= most


def test_a_route_has_its_own_rate_by_method_and_path_or_path_alone():
    sampler = Sampler(0, {"GET /Users/{id}": 1, "/roles": 1})

    assert sampler.decide("get /users/{id}")
    assert not sampler.decide("put /users/{id}")
    assert sampler.decide("get /roles")
    assert sampler.decide("post /roles")


@pytest.mark.parametrize("asked", [True, False])
def test_a_trusted_decision_stands(asked):
    assert Sampler(0.5).decide("get /", asked) is asked


@pytest.mark.parametrize(
    "path", ["/healthz", "/ready/", "/openapi/spec.json", "/docs", "/docs/a.js", "/api/docs/a.js"]
)
def test_health_and_documents_are_never_traced_whoever_asks(path):
    settings = Settings(server=ServerSettings(url_prefix="/api"))

    assert not build_sampler(settings).decide(f"get {path}", asked=True)


def test_a_path_that_only_begins_alike_is_traced():
    sampler = build_sampler(Settings())

    assert sampler.decide("get /healthy")
    assert sampler.decide("get /documents")
    assert sampler.decide("get")


def test_documents_at_the_root_don_t_silence_everything():
    settings = Settings()
    settings = replace(settings, openapi=replace(settings.openapi, docs_url="/"))

    assert build_sampler(settings).decide("get /users")


def test_settings_rule_the_rates():
    settings = Settings(tracing=TracingSettings(sample_rate=0, sample_routes={"GET /a": 1}))
    sampler = build_sampler(settings)

    assert sampler.decide("get /a")
    assert not sampler.decide("get /b")


def test_what_is_remembered_of_names_is_bounded(monkeypatch):
    monkeypatch.setattr("msframework.tracing.sampler._MAX_NAMES", 2)
    sampler = Sampler(1)

    assert all(sampler.decide(f"get /{number}") for number in range(5))
    assert len(sampler.rates) == 2
