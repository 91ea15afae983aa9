"""Challenges are what RFC 9110 calls one."""

import pytest

from msframework.access.challenge import build_challenge
from msframework.exceptions import ImproperlyConfigured


def test_the_parameters_are_quoted():
    assert build_challenge("Basic", realm="our api", charset="UTF-8") == (
        'Basic realm="our api", charset="UTF-8"'
    )


def test_a_challenge_may_have_no_parameters():
    assert build_challenge("Bearer") == "Bearer"


@pytest.mark.parametrize("realm", ["", 'a"b', "a\\b", "a\r\nb", "käse", "\x7f", None])
def test_what_no_header_can_quote_is_refused(realm):
    with pytest.raises(ImproperlyConfigured, match="the challenge Basic: realm is"):
        build_challenge("Basic", realm=realm)
