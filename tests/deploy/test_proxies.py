"""The examples of proxies agree with the settings: what they wait for, bound, and send again."""

import re

import pytest
import yaml

from tests.deploy.artefacts import ENVOY, HAPROXY, NGINX, default, image_environment, seconds

DRAIN_DELAY = float(image_environment()["DRAIN_DELAY"])


def haproxy(pattern):
    """Return what *pattern* finds in the configuration of HAProxy."""
    [found] = re.findall(rf"^\s*{pattern}\s*$", HAPROXY.read_text(), re.MULTILINE)
    return found


def nginx(name):
    """Return the value of a directive that stands in the configuration of nginx."""
    return re.findall(rf"^\s*{name} (.*?);", NGINX.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def envoy():
    [listener] = (resources := yaml.safe_load(ENVOY.read_text())["static_resources"])["listeners"]
    [cluster] = resources["clusters"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    [route] = manager["route_config"]["virtual_hosts"][0]["routes"]
    return manager, route["route"], cluster


def test_haproxy_notices_an_instance_that_stops_within_drain_delay():
    checks = dict(re.findall(r"(\w+) (\w+)", haproxy("default-server check (.*)")))
    limit = seconds(haproxy(r"timeout check (\w+)"))

    notices = seconds(checks["inter"]) + seconds(checks["fastinter"]) * (int(checks["fall"]) - 1)

    assert notices + limit < DRAIN_DELAY
    assert "uri /readyz" in haproxy("http-check send (.*)")
    assert haproxy("http-check expect (.*)") == "status 200"


def test_haproxy_waits_longer_than_the_service():
    assert seconds(haproxy(r"timeout server (\w+)")) > default("RESPONSE_TIMEOUT")
    assert seconds(haproxy(r"timeout http-request (\w+)")) == default("REQUEST_TIMEOUT")


def test_haproxy_sends_again_only_what_reached_nobody():
    assert haproxy("retry-on (.*)") == "conn-failure"


def test_nginx_refuses_what_the_service_refuses():
    assert nginx("client_max_body_size") == [str(default("REQUEST_MAX_SIZE"))]
    assert nginx("large_client_header_buffers") == [f"4 {default('REQUEST_MAX_TARGET_SIZE')}"]
    for directive, setting in (
        ("client_header_timeout", "REQUEST_TIMEOUT"),
        ("client_body_timeout", "BODY_TIMEOUT"),
        ("send_timeout", "WRITE_TIMEOUT"),
    ):
        assert [seconds(value) for value in nginx(directive)] == [default(setting)]


def test_nginx_keeps_connections_for_less_long_than_the_service():
    assert all(
        seconds(value) < default("KEEP_ALIVE_TIMEOUT") for value in nginx("keepalive_timeout")
    )
    assert seconds(nginx("proxy_read_timeout")[0]) > default("RESPONSE_TIMEOUT")


def test_nginx_sends_nothing_again_that_may_have_been_carried_out():
    assert nginx("proxy_next_upstream") == ["error timeout"]
    assert seconds(nginx("proxy_next_upstream_timeout")[0]) < default("RESPONSE_TIMEOUT")


def test_envoy_notices_an_instance_that_stops_within_drain_delay(envoy):
    *_, cluster = envoy
    [check] = cluster["health_checks"]

    assert check["http_health_check"]["path"] == "/readyz"
    assert seconds(check["interval"]) + seconds(check["timeout"]) < DRAIN_DELAY
    assert cluster["common_lb_config"]["healthy_panic_threshold"] == {"value": 0}


def test_envoy_waits_longer_than_the_service_and_keeps_connections_less_long(envoy):
    manager, route, cluster = envoy
    [options] = cluster["typed_extension_protocol_options"].values()

    assert seconds(route["idle_timeout"]) > default("RESPONSE_TIMEOUT")
    assert seconds(manager["request_headers_timeout"]) == default("REQUEST_TIMEOUT")
    idle = options["common_http_protocol_options"]["idle_timeout"]
    assert seconds(idle) < default("KEEP_ALIVE_TIMEOUT")


def test_envoy_sends_again_only_what_reached_nobody(envoy):
    assert envoy[1]["retry_policy"]["retry_on"] == "connect-failure"
