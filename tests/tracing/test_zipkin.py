import time

import pytest

from msframework.tracing import Encoder, Propagator, Tracer
from msframework.tracing.redact import Redactor
from msframework.tracing.span import OWN, Span, SpanContext, Template
from msframework.tracing.zipkin import MAX_TAGS, MAX_VALUE


@pytest.fixture
def tracer():
    return Tracer("users", propagator=Propagator(trust=("debug",)))


@pytest.fixture
def encoder():
    return Encoder("Users", Redactor(("password", "token")), host="127.0.0.1", port=8000)


def test_a_server_span_is_zipkins_object(tracer, encoder, make_request):
    before = time.time()
    request = make_request({"b3": "80f198ee56343ba8-e457b5a2e4d86bd1-1"}, path="/users/7")
    span = tracer.start_request(request, "get /users/{id}")
    tracer.finish_request(span, 404)
    described = encoder.describe(span)

    assert before * 1e6 - 1000 <= described.pop("timestamp") <= time.time() * 1e6
    assert 1 <= described.pop("duration") < 1e6
    assert described == {
        "traceId": "80f198ee56343ba8",
        "parentId": "e457b5a2e4d86bd1",
        "id": span.span_id,
        "kind": "SERVER",
        "name": "get /users/{id}",
        "localEndpoint": {"serviceName": "users", "ipv4": "127.0.0.1", "port": 8000},
        "remoteEndpoint": {"ipv4": "192.0.2.7"},
        "tags": {
            "component": "sanic",
            "http.method": "GET",
            "http.url": "/users/7",
            "http.status_code": "404",
        },
    }


def test_a_local_root_leaves_out_what_it_has_not(tracer, encoder):
    span = tracer.start_span("JOB")
    span.finish()

    described = encoder.describe(span)

    assert described["name"] == "job"
    assert described.keys().isdisjoint(
        {"parentId", "kind", "remoteEndpoint", "annotations", "debug"}
    )


def test_debug_goes_along(tracer, encoder):
    caller = tracer.extract({"b3": f"{'1' * 32}-{'2' * 16}-d"})

    assert encoder.describe(tracer.start_span("a", child_of=caller))["debug"] is True


@pytest.mark.parametrize(
    ("tags", "endpoint"),
    [
        (
            {"peer.service": "PostgreSQL", "peer.hostname": "db", "peer.port": 5432},
            "postgresql:5432",
        ),
        ({"peer.hostname": "192.0.2.1", "peer.port": "80"}, "192.0.2.1:80"),
        ({"peer.address": "192.0.2.1:81"}, "192.0.2.1:81"),
        ({"peer.address": "2001:db8::1"}, "2001:db8::1"),
        ({"peer.address": "[2001:db8::1]:82", "peer.service": "a"}, "a 2001:db8::1:82"),
        ({"peer.ipv6": "2001:db8::1", "peer.port": "x"}, "2001:db8::1"),
        ({"peer.ipv4": "192.0.2.1", "peer.port": 70000}, "192.0.2.1"),
        ({"peer.address": "nowhere"}, None),
        ({"peer.hostname": "db"}, None),
    ],
)
def test_the_other_side_is_an_endpoint(tracer, encoder, tags, endpoint):
    remote = encoder.describe(tracer.start_span("a", tags=tags)).get("remoteEndpoint")

    if endpoint is None:
        assert remote is None
        return
    address = " ".join(str(remote[key]) for key in ("serviceName", "ipv4", "ipv6") if key in remote)
    assert f"{address}:{remote['port']}" if "port" in remote else address == endpoint


def test_the_name_of_a_host_stays_a_tag(tracer, encoder):
    tags = {"peer.hostname": "db.example.org", "peer.port": 1, "peer.service": "db"}

    described = encoder.describe(tracer.start_span("a", tags=tags))

    assert described["tags"] == {"peer.hostname": "db.example.org"}
    assert described["remoteEndpoint"] == {"serviceName": "db", "port": 1}


class Mute:
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (200, "200"),
        (None, "None"),
        ("\ud800é", "\\ud800é"),
        (Mute(), "<Mute>"),
        (type("Text", (str,), {})("own"), "own"),
    ],
)
def test_any_value_is_text(tracer, encoder, value, text):
    span = tracer.start_span("a", tags={"k": value})

    assert encoder.describe(span)["tags"] == {"k": text}
    assert encoder.encode(span).startswith(b"{")


def test_tags_are_bounded(tracer, encoder):
    span = tracer.start_span("a", tags={f"k{number}": "x" * 5000 for number in range(MAX_TAGS + 1)})

    tags = encoder.describe(span)["tags"]

    assert len(tags) == MAX_TAGS
    assert {len(text) for text in tags.values()} == {MAX_VALUE}


def test_configured_keys_are_hidden_in_tags_errors_and_annotations(tracer, encoder):
    span = tracer.start_span("a", tags={"password": "x", 7: "y"})
    span.set_error(ValueError("token=abc"))
    span.log_kv({"event": "token=abc"}).log_kv({"event": "login", "password": "x"})

    described = encoder.describe(span)

    assert described["tags"] == {
        "password": "***",
        "7": "y",
        "error": "true",
        "error.kind": "ValueError",
        "error.message": "token=***",
    }
    assert [item["value"] for item in described["annotations"]] == [
        "token=***",
        '{"event":"login","password":"***"}',
    ]


def test_statements_are_scrubbed_however_often_they_come(tracer, encoder, monkeypatch):
    monkeypatch.setattr("msframework.tracing.zipkin._MAX_KNOWN", 1)
    for _ in range(2):
        for sql, shown in [
            ("SELECT * FROM users WHERE token = 'abc'", "SELECT * FROM users WHERE token = ***"),
            ("SELECT 1", "SELECT 1"),
            ("SELECT 'é', password = 'x'", "SELECT 'é', password = ***"),
        ]:
            span = tracer.start_span("db.select", tags={"db.statement": sql})
            assert encoder.describe(span)["tags"] == {"db.statement": shown}


def test_odd_names_of_tags_are_text(tracer, encoder):
    span = tracer.start_span("a", tags={"\ud800": 1, "\ud800token": 2})

    assert encoder.describe(span)["tags"] == {"\\ud800": "1", "\\ud800token": "***"}


@pytest.mark.parametrize("address", [["192.0.2.1"], {}, Mute()])
def test_an_odd_other_side_is_left_out(tracer, encoder, address):
    span = tracer.start_span("a", tags={"peer.address": address, "peer.service": "db"})

    assert encoder.describe(span)["remoteEndpoint"] == {"serviceName": "db"}


def test_what_is_remembered_of_names_is_bounded(tracer, encoder, monkeypatch):
    monkeypatch.setattr("msframework.tracing.zipkin._MAX_KNOWN", 1)
    for name in ("A", "B"):
        described = encoder.describe(tracer.start_span(name, tags={name: name}))
        assert (described["name"], described["tags"]) == (name.lower(), {name: name})


@pytest.mark.punctual
def test_an_annotation_has_its_own_time(tracer, encoder):
    span = tracer.start_span("a").log_kv({"event": "x"}, timestamp=1000.5)

    (annotation,) = encoder.describe(span)["annotations"]

    assert annotation["timestamp"] == pytest.approx(1000.5e6, abs=1e5)


def test_a_span_is_encoded_once(tracer, encoder):
    span = tracer.start_span("a")

    assert encoder.encode(span) is encoder.encode(span)


def test_a_service_that_listens_everywhere_has_no_address(tracer):
    encoder = Encoder("a", Redactor(), host="0.0.0.0", port=80)

    local = encoder.describe(tracer.start_span("x"))["localEndpoint"]

    assert local == {"serviceName": "a", "port": 80}


def test_a_number_may_be_of_any_size(encoder, tracer):
    span = tracer.start_span("a", tags={"big": 10**17, "bigger": 10**30, "most": 10**5000})

    tags = encoder.describe(span)["tags"]
    assert (tags["big"], tags["bigger"]) == (str(10**17), str(10**30))
    assert tags["most"] == "<int>"


def test_values_that_are_equal_may_be_written_otherwise(encoder, tracer):
    for value, text in ((True, "true"), (1.0, "1.0"), (True, "true")):
        for template in (None, Template("a", None, {"n": value})):
            own = {"n": value} if template is None else {}
            span = Span(tracer, "a", None, "1" * 32, None, OWN, own, 1.0, template)
            assert encoder.describe(span)["tags"] == {"n": text}


def test_names_that_are_equal_may_be_written_otherwise(encoder, tracer):
    for key, name in ((True, "true"), (1, "1"), (True, "true")):
        assert encoder.describe(tracer.start_span("a", tags={key: "x"}))["tags"] == {name: "x"}


TEMPLATE = Template(
    "db.select",
    "client",
    {"component": "c", "peer.service": "db", "n": 1, "db.statement": "SET token=x", "password": 1},
)


def make_span(tracer, template):
    """Return a span of *template*, or one that was given all that the template says."""
    own = {"http.url": "/x?token=1", "rows": 2}
    if template is None:
        own = {**TEMPLATE.tags, **own}
    return Span(tracer, "db.select", "client", "1" * 32, "2" * 16, OWN, own, 1.0, template)


@pytest.mark.parametrize(
    "change",
    [
        lambda span: None,
        lambda span: span.set_tag("more", 2.5),
        lambda span: span.set_tag("n", 2),
        lambda span: span.set_tag("n", True),
        lambda span: span.set_tag("peer.service", "other"),
        lambda span: span.set_tag("peer.port", 5432),
        lambda span: span.set_error(ValueError("no")),
        lambda span: span.set_operation_name("Other"),
        lambda span: setattr(span, "kind", "server"),
        lambda span: span.log_kv({"event": "x"}, timestamp=1.0),
        lambda span: span.tags.pop("n"),
        lambda span: span.tags.clear(),
    ],
)
def test_a_template_changes_nothing_of_what_is_written(tracer, encoder, change):
    described = []
    for template in (None, TEMPLATE, TEMPLATE):
        span = make_span(tracer, template)
        change(span)
        span._span_id, span.end = "3" * 16, 2.0
        one = encoder.describe(span)
        del one["timestamp"]
        one.pop("annotations", None)
        described.append((one, list(one["tags"].items()), dict(span.tags)))

    assert described[0] == described[1] == described[2]


class Id(str):
    pass


@pytest.mark.parametrize(("trace_id", "shown"), [("\ud800", "\\ud800"), (Id("1" * 32), "1" * 32)])
def test_ids_that_are_none_of_ours_are_text(tracer, encoder, trace_id, shown):
    parent = SpanContext(trace_id, trace_id, sampled=True)
    for span in (tracer.start_span("a", child_of=parent), tracer.start_child("a", parent)):
        described = encoder.describe(span)
        assert (described["traceId"], described["parentId"]) == (shown, shown)


def test_tags_are_bounded_with_a_template_too(tracer, encoder):
    span = make_span(tracer, TEMPLATE)
    for number in range(300):
        span.set_tag(f"n{number}", number)

    assert len(encoder.describe(span)["tags"]) == MAX_TAGS


def test_a_dict_of_tags_stays_the_same(tracer):
    span = make_span(tracer, TEMPLATE)
    own = span._own

    assert span.tags is own is span.tags


def test_the_templates_that_are_remembered_are_bounded(tracer, encoder, make_request, monkeypatch):
    monkeypatch.setattr("msframework.tracing.zipkin._MAX_KNOWN", 4)
    monkeypatch.setattr("msframework.tracing.tracer._MAX_KNOWN", 4)
    for number in range(20):
        span = tracer.start_request(make_request(), f"get /{number}")
        tracer.finish_request(span, 200)
        assert encoder.describe(span)["name"] == f"get /{number}"

    assert len(encoder._templates) <= 4
    assert len(tracer._templates) <= 4
