from msframework.db.templates import StatementSpans


def test_a_statement_has_one_template():
    spans = StatementSpans({"peer.service": "postgresql"})

    first = spans.template("SELECT 1")

    assert spans.template("SELECT 1") is first
    assert (first.name, first.kind) == ("db.select", "client")
    assert first.tags == {
        "component": "db-execute",
        "db.type": "sql",
        "db.statement": "SELECT 1",
        "peer.service": "postgresql",
    }


def test_what_is_remembered_of_statements_is_bounded(monkeypatch):
    monkeypatch.setattr("msframework.db.templates._MOST_KNOWN", 2)
    spans = StatementSpans({})
    for number in range(5):
        assert spans.template(f"SELECT {number}").tags["db.statement"] == f"SELECT {number}"

    assert len(spans._templates) <= 2
