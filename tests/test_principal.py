"""The id of a caller as the value of a column."""

from uuid import UUID

import pytest

from msframework import Principal
from msframework.exceptions import Forbidden

ONE = "6f1d2c84-2f7b-4a55-9d6c-0d3a1b2c3d4e"


@pytest.mark.parametrize(
    ("id", "kind", "value"),
    [
        ("7", int, 7),
        ("-7", int, -7),
        (str(2**63 - 1), int, 2**63 - 1),
        (ONE, UUID, UUID(ONE)),
        (ONE.upper(), UUID, UUID(ONE)),
    ],
)
def test_an_id_becomes_the_value_that_it_spells(id, kind, value):
    assert Principal(id).id_as(kind) == value


@pytest.mark.parametrize(
    ("id", "kind"),
    [
        *(
            (text, int)
            for text in ("", "ada", "07", "1_0", " 7", "+7", "\u0663", "7.0", str(2**63))
        ),
        ("9" * 5000, int),
        *((text, UUID) for text in ("7", ONE.replace("-", ""), f"{{{ONE}}}", f"urn:uuid:{ONE}")),
    ],
    ids=lambda each: repr(each)[:12],
)
def test_whoever_has_another_id_is_refused(id, kind):
    with pytest.raises(Forbidden):
        Principal(id).id_as(kind)


@pytest.mark.parametrize(
    ("claim", "kind", "value"),
    [(7, int, 7), ("7", int, 7), (ONE.upper(), UUID, UUID(ONE)), ("North", str, "North")],
)
def test_a_claim_becomes_the_value_that_it_spells(claim, kind, value):
    assert Principal("ada", claims={"tenant": claim}).claim_as("tenant", kind) == value


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        *(({}, kind) for kind in (int, UUID, str)),
        *(({"tenant": claim}, int) for claim in (None, True, 7.0, "07", [7], 2**63)),
        *(({"tenant": claim}, UUID) for claim in (7, "7")),
        *(({"tenant": claim}, str) for claim in (None, True, ["a"], {"a": 1})),
    ],
    ids=repr,
)
def test_whoever_lacks_a_claim_is_refused(claims, kind):
    with pytest.raises(Forbidden):
        Principal("ada", claims=claims).claim_as("tenant", kind)
