import pytest

from msframework.db.statement import Kind, ServerTags, Statement, Statements


def test_a_statement_has_one_template():
    server = ServerTags({"peer.service": "postgresql"})
    statement = Statement("SELECT 1", stateless=True)

    first = statement.template(server)

    assert statement.template(server) is first
    assert (first.name, first.kind) == ("db.select", "client")
    assert first.tags == {
        "component": "db-execute",
        "db.type": "sql",
        "db.statement": "SELECT 1",
        "peer.service": "postgresql",
    }


def test_each_server_has_a_template_of_its_own():
    statement = Statement("SELECT 1", stateless=True)
    primary, replica = ServerTags({"db.role": "primary"}), ServerTags({"db.role": "replica"})

    assert statement.template(primary).tags["db.role"] == "primary"
    assert statement.template(replica).tags["db.role"] == "replica"


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1", Kind.READ),
        ("-- why\nvalues (1)", Kind.READ),
        ("insert into t default values", Kind.WRITE),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", Kind.WRITE),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", Kind.OTHER),
        ("SAVEPOINT a", Kind.OTHER),
        ("", Kind.OTHER),
    ],
)
def test_the_first_word_tells_the_kind(sql, kind):
    assert Statement(sql, stateless=False).kind is kind


def test_a_statement_is_decided_once_and_the_oldest_is_forgotten():
    statements = Statements(always_reset=False, limit=2)

    assert [statements.learn(sql).stateless for sql in ("SELECT 1", "SET x = 1", "SELECT 2")] == [
        True,
        False,
        True,
    ]
    assert list(statements.known) == ["SET x = 1", "SELECT 2"]
    assert statements.known["SELECT 2"] is statements.stateless["SELECT 2"]
    assert list(statements.stateless) == ["SELECT 2"]


def test_with_always_nothing_counts_as_stateless():
    statements = Statements(always_reset=True)

    assert statements.learn("SELECT 1").stateless is False
    assert statements.stateless == {}
