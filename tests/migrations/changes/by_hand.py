"""What somebody made by hand in the database, which no change of models touches."""

from tests.migrations.changes.change import Change, note

_ROWS = "INSERT INTO note (title, age) VALUES ('a', 1), ('b', 2)"
_KEPT = ("SELECT title, age FROM note ORDER BY 1", [("a", 1), ("b", 2)])
_BEFORE = note("age = IntegerField()")
_AFTER = note("age = BigIntegerField(index=True)", "more = IntegerField(null=True)")


def _left(name, by_hand, before=_BEFORE, after=_AFTER, kept=_KEPT, **more):
    """Return a change of the age and a new column, with something *by_hand* beside them."""
    return Change(name, before, after, rows=_ROWS, by_hand=by_hand, kept=kept, **more)


CHANGES = [
    _left(
        "indexes: plain, partial, of an expression",
        "CREATE INDEX by_age ON note (age DESC); CREATE INDEX a_few ON note (title) WHERE age > 3; "
        "CREATE UNIQUE INDEX low ON note (lower(title))",
        daily=True,
    ),
    _left(
        "constraints: UNIQUE, CHECK, EXCLUDE",
        "ALTER TABLE note ADD UNIQUE (title), ADD CHECK (age < 99), "
        "ADD CONSTRAINT apart EXCLUDE USING btree (age WITH =)",
        daily=True,
    ),
    _left(
        "a trigger",
        "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.title := upper(NEW.title); RETURN NEW; END $$; "
        "CREATE TRIGGER stamped BEFORE INSERT ON note FOR EACH ROW EXECUTE FUNCTION stamp()",
        daily=True,
    ),
    _left(
        "a view that reads what does not change",
        "CREATE VIEW titles AS SELECT id, title FROM note",
        daily=True,
    ),
    _left(
        "a generated column, and one of another program",
        "ALTER TABLE note ADD low text GENERATED ALWAYS AS (lower(title)) STORED, "
        "ADD seen timestamptz DEFAULT '2024-01-01 00:00:00+00'",
        kept=("SELECT title, low FROM note ORDER BY 1", [("a", "a"), ("b", "b")]),
        returned=("SELECT title, age, low FROM note ORDER BY 1", [("a", 1, "a"), ("b", 2, "b")]),
        daily=True,
    ),
    _left(
        "tables, with a foreign key to one of ours",
        "CREATE TABLE others (note_id integer REFERENCES note ON DELETE CASCADE); "
        "CREATE SCHEMA theirs CREATE TABLE note (title text)",
    ),
    _left(
        "an index on a column that is renamed",
        "CREATE INDEX by_age ON note (age, lower(title))",
        before=_BEFORE,
        after=note("years = IntegerField()"),
        by_hand_after="CREATE INDEX by_age ON note (years, lower(title))",
        options=("--rename", "note.age:years"),
        kept=("SELECT title, years FROM note ORDER BY 1", [("a", 1), ("b", 2)]),
    ),
    _left(
        "a statistics object, a comment and a grant",
        "CREATE STATISTICS wide ON title, id FROM note; COMMENT ON COLUMN note.title IS 'by hand'; "
        "GRANT SELECT ON note TO PUBLIC",
    ),
]
