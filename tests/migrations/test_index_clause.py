import pytest

from msframework.migrations.index_clause import read_index
from msframework.migrations.scanner import Unreadable
from msframework.migrations.schema import Index

INDEXES = {
    "CREATE INDEX i ON t (a)": Index("i", ("a",)),
    "create unique index concurrently if not exists i on only s.t using BTree (a asc, b)":
        Index("i", ("a", "b"), unique=True),
    'CREATE INDEX "I" ON t USING gin ("data" jsonb_path_ops)':
        Index("I", ("data jsonb_path_ops",), method="gin"),
    "CREATE INDEX i ON t (a DESC NULLS FIRST, b NULLS LAST, c ASC NULLS FIRST, d desc nulls last)":
        Index("i", ("a DESC", "b", "c NULLS FIRST", "d DESC NULLS LAST")),
    "CREATE UNIQUE INDEX i ON t (a) INCLUDE (b, \"C\") NULLS NOT DISTINCT WITH (fillfactor='70')":
        Index("i", ("a",), unique=True, include=("b", "C"), nulls_distinct=False,
              storage=("fillfactor = 70",)),
    "CREATE UNIQUE INDEX i ON t (a) NULLS DISTINCT WHERE ((a > 0)) ;":
        Index("i", ("a",), unique=True, where="a > 0"),
    "CREATE INDEX i ON t (a) WHERE (a > 0) AND (b > 0)":
        Index("i", ("a",), where="(a > 0) AND (b > 0)"),
    "CREATE INDEX ON t (lower(a), (b + 1), (c - 1)) INCLUDE (d)":
        Index("t_lower_expr_expr1_d_idx", ("lower(a)", "(b + 1)", "(c - 1)"), include=("d",)),
    "CREATE INDEX i ON t USING gist (a gist_trgm_ops (siglen = 32)) WITH (fastupdate)":
        Index("i", ("a gist_trgm_ops (siglen = 32)",), method="gist", storage=("fastupdate",)),
}  # fmt: skip


@pytest.mark.parametrize("text", INDEXES)
def test_an_index_is_read(text):
    clause = read_index(text)

    assert clause.index == INDEXES[text]
    assert clause.table in (("t",), ("s", "t"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DROP INDEX i", "'DROP' stands where CREATE should"),
        ("CREATE INDEX i ON t", r"the end stands where \( should"),
        ("CREATE INDEX i ON t (a) TABLESPACE fast", "'TABLESPACE' cannot be read there"),
        ("CREATE INDEX i ON t (a); DROP TABLE t", "'DROP' cannot be read there"),
        ("CREATE INDEX i ON t (a) WHERE a > 0; DROP TABLE t", "'DROP' cannot be read there"),
    ],
)
def test_what_is_no_index_is_refused(text, message):
    with pytest.raises(Unreadable, match=message):
        read_index(text)
