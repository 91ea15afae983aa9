import re
import threading

import psycopg
import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.connection import _LOCK
from msframework.migrations.runner import Runner

INITIAL = """
    from peewee import CharField, Model

    def up(migrator, db):
        class Shop(Model):
            name = CharField(max_length=40)
            class Meta:
                database = db
                table_name = "shops"
        db.create_tables([Shop])

    def down(migrator, db):
        migrator.migrate(migrator.drop_table("shops"))
"""

ADD_CITY = """
    from peewee import CharField

    author = "ada"
    written = "2024-05-06"

    def up(migrator, db):
        migrator.migrate(migrator.add_column("shops", "city", CharField(default="here")))

    def down(migrator, db):
        migrator.migrate(migrator.drop_column("shops", "city"))
"""

ADD_OWNER = """
    depends = ("people.0001_initial",)

    def up(migrator, db):
        db.execute_sql("ALTER TABLE shops ADD COLUMN owner int REFERENCES people (id)")

    def down(migrator, db):
        migrator.migrate(migrator.drop_column("shops", "owner"))
"""

PEOPLE = """
    def up(migrator, db):
        db.execute_sql("CREATE TABLE people (id serial PRIMARY KEY)")

    def down(migrator, db):
        db.execute_sql("DROP TABLE people")
"""


@pytest.fixture
def shops(project):
    project.write("site/shops/migrations/0001_initial.py", INITIAL)
    project.write("site/shops/migrations/0002_add_city.py", ADD_CITY)
    project.write("site/shops/migrations/0003_add_owner.py", ADD_OWNER)
    project.write("site/people/migrations/0001_initial.py", PEOPLE)
    for name in ("site/shops/migrations", "site/people/migrations"):
        (project.root / name / "notes.txt").write_text("not a migration")
    # NOTE: "site" is a module of Python's own; the tests' apps need another top.
    (project.root / "site").rename(project.root / "mall")
    return project


@pytest.fixture
def said():
    return []


@pytest.fixture
def runner(shops, url, said):
    return Runner(url, ["mall.shops", "mall.people"], said.append)


ALL = ("shops.0001_initial", "shops.0002_add_city", "people.0001_initial", "shops.0003_add_owner")


def test_migrate_applies_everything_after_what_it_depends_on(runner, columns, recorded):
    assert runner.pending() == ALL

    assert runner.migrate() == ALL

    assert columns("shops") == ["id", "name", "city", "owner"]
    assert recorded() == list(ALL)
    assert runner.pending() == ()


def test_migrate_says_a_line_for_each_step(runner, said):
    runner.migrate()

    assert said == [f"Applying {name} ({number} of 4)" for number, name in enumerate(ALL, 1)]


def test_migrate_applies_nothing_twice(runner):
    runner.migrate()

    assert runner.migrate() == ()


def test_the_record_keeps_author_and_time(runner, query):
    runner.migrate()

    rows = query("SELECT author, datetime, time IS NOT NULL FROM migrate_record WHERE name ~ '2'")
    assert rows == [("ada", "2024-05-06", True)]


def test_one_app_brings_what_it_depends_on_and_no_more(runner):
    assert runner.migrate("people") == ("people.0001_initial",)
    assert runner.migrate("mall.shops") == (ALL[0], ALL[1], ALL[3])


def test_a_target_is_named_by_its_beginning(runner):
    assert runner.migrate("shops", "0002") == ALL[:2]


def test_going_back_takes_back_what_depends_on_it_too(runner, columns, recorded):
    runner.migrate()

    assert runner.migrate("people", "zero") == ("shops.0003_add_owner", "people.0001_initial")

    assert columns("shops") == ["id", "name", "city"]
    assert columns("people") == []
    assert recorded() == list(ALL[:2])


def test_going_back_to_a_migration_keeps_it(runner, columns):
    runner.migrate()

    assert runner.migrate("shops", "0001_initial") == (ALL[3], ALL[1])
    assert columns("shops") == ["id", "name"]


def test_what_has_no_down_stays(runner, shops, columns):
    shops.write(
        "mall/shops/migrations/0004_fill.py",
        "def up(migrator, db):\n    db.execute_sql('SELECT 1')\n",
    )
    runner.migrate()

    with pytest.raises(ImproperlyConfigured, match=r"shops\.0004_fill cannot be taken back"):
        runner.migrate("shops", "0001")

    assert "city" in columns("shops")


def test_plan_does_nothing_but_say(runner, said, query):
    assert runner.migrate(plan=True) == ALL

    assert said == [f"Would apply {name}" for name in ALL]
    assert query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


def test_plan_of_the_way_back(runner, said):
    runner.migrate()
    said.clear()

    runner.migrate("people", "zero", plan=True)

    assert said[-1] == "Would take back people.0001_initial"


def test_fake_changes_the_record_only(runner, columns, recorded, said):
    runner.migrate(fake=True)

    assert recorded() == list(ALL)
    assert columns("shops") == []
    assert said[0] == "Recording shops.0001_initial as applied (1 of 4)"

    runner.migrate("people", "zero", fake=True)

    assert recorded() == list(ALL[:2])


def test_a_failing_migration_leaves_neither_change_nor_record(runner, shops, columns, recorded):
    shops.write(
        "mall/shops/migrations/0002_add_city.py",
        """
        def up(migrator, db):
            db.execute_sql("ALTER TABLE shops ADD COLUMN half int")
            db.execute_sql("INSERT INTO shops (id, name) VALUES (1, 'a'), (1, 'secret')")
        """,
    )

    with pytest.raises(ImproperlyConfigured) as caught:
        runner.migrate()

    text = str(caught.value)
    assert text.startswith("The migration shops.0002_add_city failed.\n  at /")
    assert "0002_add_city.py, line 4\n  PostgreSQL: duplicate key value violates unique" in text
    assert "in: constraint shops_pkey, table shops, key (id)" in text
    assert "Nothing of it remains" in text
    assert "(1)" not in text  # PostgreSQL's DETAIL carries values
    assert columns("shops") == ["id", "name"]
    assert recorded() == ["shops.0001_initial"]


def test_atomic_off_runs_outside_of_a_transaction(runner, shops, query, recorded):
    runner.migrate()
    shops.write(
        "mall/shops/migrations/0004_index.py",
        """
        atomic = False

        def up(migrator, db):
            db.execute_sql("CREATE INDEX CONCURRENTLY shops_city ON shops (city)")
            db.execute_sql("SELECT 1 / (SELECT count(*) FROM people)")

        def down(migrator, db):
            db.execute_sql("DROP INDEX CONCURRENTLY shops_city")
        """,
    )
    second = Runner(runner._url, runner.apps)

    with pytest.raises(ImproperlyConfigured, match="a part of it may remain"):
        second.migrate()
    assert query("SELECT 1 FROM pg_indexes WHERE indexname = 'shops_city'") == [(1,)]
    assert recorded() == list(ALL)

    query("INSERT INTO people DEFAULT VALUES")
    query("DROP INDEX shops_city")
    assert second.migrate() == ("shops.0004_index",)
    assert second.migrate("shops", "0003") == ("shops.0004_index",)
    assert query("SELECT 1 FROM pg_indexes WHERE indexname = 'shops_city'") == []


def test_a_slow_step_says_how_long_it_took(shops, url, said, monkeypatch):
    monkeypatch.setattr("msframework.migrations.runner._SLOW", -1.0)

    Runner(url, ["mall.people"], said.append).migrate()

    assert said[0] == "Applying people.0001_initial (1 of 1)"
    assert re.fullmatch(r"  took \d\.\d s", said[1])


def test_two_runs_at_once_apply_everything_once(runner, url, recorded):
    results = []

    def deploy():
        results.append(Runner(url, runner.apps).migrate())

    threads = [threading.Thread(target=deploy) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == [(), (), (), ALL]
    assert recorded() == list(ALL)


def test_a_run_waits_for_another_and_says_so(runner, url, said):
    done = threading.Event()
    waiting = threading.Event()
    runner._echo = lambda text: (said.append(text), waiting.set())

    def deploy():
        runner.migrate()
        done.set()

    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        thread = threading.Thread(target=deploy)
        thread.start()
        assert waiting.wait(60)
        assert not done.is_set()
        other.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
        thread.join()

    assert said[0] == "Another run of migrations holds the lock; waiting for it."
    assert runner.pending() == ()


def test_status_lists_applied_pending_and_lost(runner, shops):
    runner.migrate("shops", "0002")
    (shops.root / "mall/shops/migrations/0002_add_city.py").unlink()

    lines = Runner(runner._url, runner.apps).status()

    assert [(line.name, line.entry is not None, line.known) for line in lines] == [
        ("0001_initial", True, True),
        ("0001_initial", False, True),
        ("0003_add_owner", False, True),
        ("0002_add_city", True, False),
    ]


@pytest.mark.parametrize(
    ("app", "target", "text"),
    [
        ("shoes", None, "There is no app 'shoes'; INSTALLED_APPS has people, shops."),
        ("shops", "0009", "shops has no migration '0009'; it has "),
        ("shops", "000", "migrations whose names begin with '000': 0001_"),
        (
            None,
            "0001",
            "A target needs the app that it belongs to: `manage.py migrate APP TARGET`.",
        ),
    ],
)
def test_unknown_names_are_refused(runner, app, target, text):
    with pytest.raises(ImproperlyConfigured) as caught:
        runner.migrate(app, target)

    assert text in str(caught.value)


def test_a_server_that_is_not_there_is_named_without_the_password(shops):
    runner = Runner("postgres://me:hush@127.0.0.1:9/none", ["mall.people"])

    with pytest.raises(ImproperlyConfigured) as caught:
        runner.migrate()

    assert "PostgreSQL cannot be reached" in str(caught.value)
    assert "hush" not in str(caught.value) + repr(runner)


def test_rehearsal_leaves_nothing(runner, query):
    with runner.rehearsed() as database:
        assert database.table_exists("shops")

    assert query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    assert runner.pending() == ALL


def test_rehearsal_refuses_what_needs_no_transaction(runner, shops):
    shops.write(
        "mall/shops/migrations/0004_index.py",
        "atomic = False\ndef up(migrator, db):\n    pass\n",
    )

    text = r"shops\.0004_index is pending"
    with pytest.raises(ImproperlyConfigured, match=text), runner.rehearsed():
        pytest.fail("must not get here")
