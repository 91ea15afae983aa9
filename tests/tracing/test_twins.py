"""Code that was copied into its caller, so that no call is paid, agrees with its plain twin."""

import enum
import random
import string
from types import SimpleNamespace

import pytest

from msframework.conf.settings import Settings
from msframework.observer import Answer, Heads, Observer
from msframework.tracing import Encoder, Propagator, Sampler, Tracer
from msframework.tracing.context import read_current, write_current
from msframework.tracing.redact import Redactor
from msframework.tracing.unsampled import UnsampledSpan
from msframework.tracing.zipkin import MAX_VALUE, _text

SEEDS = range(3)
ROUNDS = 300


class Colour(enum.IntEnum):
    RED = 7


class Text(str):
    __slots__ = ()


class Broken:
    def __str__(self):
        raise ValueError


def any_value(chance):
    """Return a value that a tag may have."""
    length = chance.choice([0, 1, 12, MAX_VALUE - 1, MAX_VALUE, MAX_VALUE + 1])
    letters = chance.choice([string.printable, "aé\N{PILE OF POO}", "a\ud800\0"])
    text = "".join(chance.choices(letters, k=length))
    number = chance.choice([0, -1, 10**18 - 1, 10**18, -(10**18), 10**30])
    return chance.choice(
        [text, Text(text), number, 1.5, True, False, None, b"\xff", Colour.RED, Broken(), [text]]
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_texts_of_tags_are_those_of_all_values(seed):
    chance = random.Random(seed)
    encoder = Encoder("users", Redactor(()))
    for _ in range(ROUNDS):
        tags = {f"key{number}": any_value(chance) for number in range(chance.randrange(6))}
        shown = {}

        encoder._add(tags, shown)

        assert shown == {key: _text(value) for key, value in tags.items()}


@pytest.fixture
def tracer():
    """A tracer whose routes are sampled in every way."""
    routes = {"get /always": 1.0, "get /half": 0.5, "get /never": 0.0}
    sampler = Sampler(0.3, routes, never=["/health"])
    return Tracer("users", sampler=sampler, propagator=Propagator(trust=("sampled", "debug")))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_request_is_sampled_as_the_sampler_decides(tracer, make_request, seed):
    chance = random.Random(seed)
    paths = ["/always", "/half", "/never", "/health", "/other"]
    headers = [{}, {"b3": "0"}, {"b3": "1"}, {"b3": "d"}, {"b3": f"{'a' * 32}-{'b' * 16}"}]
    headers += [{"b3": f"{'a' * 32}-{'b' * 16}-{decision}"} for decision in "01d"]
    for _ in range(ROUNDS):
        name = f"get {chance.choice(paths)}"
        request = make_request(chance.choice(headers))
        found = tracer.propagator.read(request)
        drawn = chance.random()

        random.seed(drawn)
        span = tracer.start_request(request, name)
        random.seed(drawn)

        assert span.sampled is tracer.sampler.decide(name, None if found is None else found[3])


@pytest.mark.parametrize("headers", [{}, {"b3": "0"}, {"b3": f"{'a' * 32}-{'b' * 16}-0"}])
def test_an_unsampled_span_is_made_as_its_class_makes_it(tracer, make_request, headers):
    name = "get /never"
    span = tracer.start_request(make_request(headers), name)
    twin = UnsampledSpan(tracer, name, "server", span.trace_id, span.parent_id, span.carried)

    assert type(span) is UnsampledSpan
    names = {name for cls in UnsampledSpan.__mro__ for name in getattr(cls, "__slots__", ())}
    made = {name for name in names if hasattr(span, name)}
    assert made == {name for name in names if hasattr(twin, name)}
    apart = {"_span_id", "span_id"}  # made when it is first read, or with the id of a new trace
    assert {name: getattr(span, name) for name in made - apart} == {
        name: getattr(twin, name) for name in made - apart
    }
    assert len(span.span_id) == len(twin.span_id) == 16


@pytest.mark.parametrize("seed", SEEDS)
def test_a_compiled_request_ends_as_the_tracer_and_the_observer_end_one(
    make_request, seed, monkeypatch
):
    monkeypatch.setattr("msframework.observer._LEAN", make_request().__class__)
    chance = random.Random(seed)
    ended = []
    for _ in range(ROUNDS):
        status, rate = chance.choice([200, 204, 404, 500, 503]), chance.choice([0.0, 1.0])
        traced, left_open = chance.random() < 0.8, chance.random() < 0.3
        found = []
        for way in ("compiled", "by the observer", "by the tracer"):
            found.append(end(way, make_request(), status, rate, traced, left_open))
        ended.append(found[0])
        assert found[0] == found[1]
        if traced:
            assert found[0][:3] == found[2][:3]
    assert len({str(each) for each in ended}) > 8


def end(way, request, status, rate, traced, left_open):
    """End *request* in one way, and return whatever can be seen of it."""
    write_current(None)
    tracer, lines = Tracer("users", sampler=Sampler(rate)), []
    access_log = SimpleNamespace(record=lambda _, *facts: lines.append(facts))
    heads = Heads()
    observer = Observer(Settings(), heads, tracer, access_log)
    request.span = tracer.start_request(request, "get /") if traced else None
    request.responded = request.recorded = False
    answer = Answer(heads, heads.head(status), b"{}", request)
    request.stream = SimpleNamespace(response=answer, stage=None)
    if traced and left_open:
        write_current(tracer.start_child("left open"))
    if way == "compiled":
        observer.build_finish("GET", "/")(request, answer)
    elif way == "by the observer":
        observer.end(request)
    elif traced:
        tracer.finish_request(request.span, status)
    spans = [(span.operation_name, span.tags, span.end > 0) for span in tracer.recorder.spans]
    return read_current(), spans, request.span is not None, lines, request.recorded
