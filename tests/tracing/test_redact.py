import pytest

from msframework.tracing.redact import HIDDEN, Redactor

REDACTOR = Redactor(("password", "token", "authorization", "cookie", "secret", "api_key"))


@pytest.mark.parametrize(
    "key",
    ["password", "PASSWORD_HASH", "X-Auth-Token", "csrfToken", "Set-Cookie", "apiKey", "api-key"],
)
def test_a_key_that_holds_a_word_is_hidden(key):
    assert REDACTOR.hides(key)
    assert REDACTOR.hides(key)


@pytest.mark.parametrize("key", ["name", "pass", 7, None, ""])
def test_other_keys_are_shown(key):
    assert not REDACTOR.hides(key)


def test_values_are_hidden_at_any_depth_and_the_original_is_left_alone():
    value = {"a": [{"token": "x", "b": ({"password": 1},)}], 1: "token=x", "n": None}

    shown = REDACTOR.redact(value)

    assert shown == {
        "a": [{"token": HIDDEN, "b": [{"password": HIDDEN}]}],
        1: f"token={HIDDEN}",
        "n": None,
    }
    assert value["a"][0]["token"] == "x"


def test_what_is_nested_without_end_is_hidden():
    circle = {}
    circle["again"] = circle
    assert HIDDEN in str(REDACTOR.redact(circle))

    ring = []
    ring.append(ring)
    assert HIDDEN in str(REDACTOR.redact(ring))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=abc&x=1", "password=***&x=1"),
        ('{"password": "a\\"b", "x": 1}', '{"password": ***, "x": 1}'),
        ("{'user_password': 'a b'}", "{'user_password': ***}"),
        ("Authorization: Bearer abc.def ok", "Authorization: *** ok"),
        ("API-KEY : 123, x", "API-KEY : ***, x"),
        ("postgresql://ann:pw@db/x", "postgresql://ann:***@db/x"),
        ("token=postgresql://a:b@c", "token=***"),
        ("time: 10:30 a=b", "time: 10:30 a=b"),
        ("the password is wrong", "the password is wrong"),
    ],
)
def test_text_is_scrubbed(text, shown):
    assert REDACTOR.scrub(text) == shown


def test_without_keys_only_passwords_in_urls_are_hidden():
    assert Redactor(("", "-")).scrub("password=x http://a:b@c") == "password=x http://a:***@c"


def test_what_is_remembered_of_keys_is_bounded(monkeypatch):
    monkeypatch.setattr("msframework.tracing.redact._MAX_KNOWN", 1)
    redactor = Redactor(("token",))

    assert [redactor.hides(key) for key in ("a", "token", "token")] == [False, True, True]
    assert len(redactor._known) == 1
