import subprocess
import sys
import threading

import peewee
import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations import MigrationModel, Runner, db, info, migrate
from msframework.migrations.connection import opened
from msframework.migrations.execute import Execution
from msframework.migrations.versions import create_table, read_class


class City(peewee.Model):
    class Meta:
        table_name = "cities"
        legacy_table_names = False


class Users(peewee.Model):
    name = peewee.CharField(max_length=128, verbose_name="user's name")
    sex = peewee.CharField(max_length=32)
    mail = peewee.CharField(column_name="email", null=True, unique=True)

    class Meta:
        table_name = "users"
        legacy_table_names = False


class UserMigration(MigrationModel):
    _model = Users
    _app = "accounts"

    @info(version="v1", author="ada", datetime="2024-01-02")
    def migrate_v1(self):
        migrate(self.add_column("sex"))

    @info(version="v2")
    def migrate_v2(self):
        migrate([self.add_column("mail")])


OLD_TABLE = "CREATE TABLE users (id serial PRIMARY KEY, name varchar(128) NOT NULL)"


@pytest.fixture
def database(url):
    with opened(url) as database:
        yield database


def test_a_table_that_is_missing_is_made_from_todays_model(database, columns, recorded):
    UserMigration().auto_migrate()

    assert columns("users") == ["id", "name", "sex", "email"]
    assert recorded() == [
        "accounts.Users.initial",
        "accounts.Users.v1",
        "accounts.Users.v2",
    ]


def test_an_older_table_gets_its_versions_in_the_order_of_their_definition(
    database, query, columns, recorded
):
    query(OLD_TABLE)

    UserMigration().auto_migrate()

    assert columns("users") == ["id", "name", "sex", "email"]
    assert recorded()[1:] == ["accounts.Users.v1", "accounts.Users.v2"]
    rows = query("SELECT author, datetime FROM migrate_record WHERE name = 'Users.v1'")
    assert rows == [("ada", "2024-01-02")]
    assert query("SELECT 1 FROM pg_indexes WHERE indexname = 'users_email'") == [(1,)]


def test_a_table_as_todays_model_counts_as_up_to_date(database, recorded):
    create_table(database, Users)

    UserMigration().auto_migrate()

    assert recorded()[1:] == ["accounts.Users.v1", "accounts.Users.v2"]


def test_a_second_run_does_nothing(database, recorded):
    UserMigration().auto_migrate()
    first = recorded()

    UserMigration(database).auto_migrate()

    assert recorded() == first


def test_a_later_version_runs_on_the_table_that_was_made_before_it(database, query, recorded):
    UserMigration().auto_migrate()
    query("INSERT INTO users (name, sex) VALUES ('a', 'x')")

    class Later(UserMigration):
        @info(version="v3")
        def migrate_v3(self):
            db.execute_sql("UPDATE users SET sex = 'y'")

    Later().auto_migrate()

    assert query("SELECT sex FROM users") == [("y",)]
    assert recorded()[-1] == "accounts.Users.v3"


def test_a_failing_version_leaves_neither_change_nor_record(database, query, columns, recorded):
    query(OLD_TABLE)

    class Failing(UserMigration):
        @info(version="v3")
        def migrate_v3(self):
            db.execute_sql("ALTER TABLE users ADD COLUMN half int")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        Failing().auto_migrate()

    assert columns("users") == ["id", "name", "sex", "email"]
    assert recorded()[1:] == ["accounts.Users.v1", "accounts.Users.v2"]


def test_in_a_transaction_of_the_script_all_or_nothing_stays(database, query, columns):
    query(OLD_TABLE)

    class Failing(UserMigration):
        def migrate_v3(self):
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError), db.transaction():
        Failing().auto_migrate()

    assert columns("users") == ["id", "name"]
    assert columns("migrate_record") == []


def test_without_info_the_version_is_in_the_methods_name(database, query, recorded):
    class Short(MigrationModel):
        _model = Users
        _app = "accounts"

        def migrate_first(self):
            migrate(self.add_column("sex"), self.add_column("email"))

    query(OLD_TABLE)

    Short().auto_migrate()

    assert recorded()[1:] == ["accounts.Users.first"]


def test_atomic_off_runs_outside_of_a_transaction(database, query):
    query(OLD_TABLE)

    class Index(MigrationModel):
        _model = Users

        @info(version="v1", atomic=False)
        def migrate_v1(self):
            db.execute_sql("CREATE INDEX CONCURRENTLY users_by_name ON users (name)")

    Index().auto_migrate()

    assert query("SELECT 1 FROM pg_indexes WHERE indexname = 'users_by_name'") == [(1,)]


def test_two_runs_at_once_are_safe(url, recorded):
    def deploy():
        with opened(url), db.transaction():
            UserMigration().auto_migrate()

    threads = [threading.Thread(target=deploy) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(recorded()) == 3


def test_a_version_used_twice_is_an_error(database, query):
    class Twice(UserMigration):
        @info(version="v1")
        def migrate_again(self):
            raise AssertionError

        @info(version="initial")
        def migrate_zero(self):
            raise AssertionError

        @info(version="v9")
        def misnamed(self):
            raise AssertionError

    with pytest.raises(ImproperlyConfigured) as caught:
        Twice().auto_migrate()

    assert caught.value.problems == (
        "Twice.migrate_again: version 'v1' is taken by migrate_v1. Versions are unique within a "
        "model.",
        "Twice.migrate_zero: version 'initial' is taken by the table itself. Versions are unique "
        "within a model.",
        "Twice.misnamed: has @info, but its name does not begin with 'migrate_'.",
    )
    assert query("SELECT 1 FROM pg_tables WHERE tablename = 'users'") == []


def test_a_class_without_a_model_is_an_error():
    class Nobody(MigrationModel):
        pass

    with pytest.raises(ImproperlyConfigured, match="Nobody: set _model"):
        read_class(Nobody)


def run(operation):
    migrate(operation)


def test_operations_on_columns(database, query, columns):
    create_table(database, Users)
    migration = UserMigration()

    run(migration.rename_column("name", "title"))
    run(migration.add_column("age", peewee.IntegerField(default=3)))
    run(migration.drop_column("mail"))
    run(migration.drop_not_null("sex"))
    query("INSERT INTO users (title, sex, age) VALUES ('a', NULL, 1)")

    assert columns("users") == ["id", "title", "sex", "age"]
    with pytest.raises(peewee.IntegrityError):
        run(migration.add_not_null("sex"))
    query("DELETE FROM users")
    run(migration.add_not_null("sex"))
    nullable = query("SELECT is_nullable FROM information_schema.columns WHERE column_name = 'sex'")
    assert nullable == [("NO",)]


def test_a_column_that_may_not_be_null_needs_a_default_when_there_are_rows(database, query):
    query(OLD_TABLE)
    run(UserMigration().add_column("sex"))
    run(UserMigration().drop_column("sex"))
    query("INSERT INTO users (name) VALUES ('a')")

    with pytest.raises(peewee.IntegrityError, match="has rows, for which the column sex"):
        run(UserMigration().add_column("sex"))


def test_add_column_names_a_field_that_is_not_there(database):
    with pytest.raises(ImproperlyConfigured, match=r"Users has no field 'shoe'. Add it to the mod"):
        UserMigration().add_column("shoe")


def test_operations_on_indexes(database, query):
    create_table(database, Users)
    migration = UserMigration()

    def names():
        rows = query("SELECT indexname FROM pg_indexes WHERE tablename = 'users' ORDER BY 1")
        return [name for (name,) in rows if not name.endswith("_pkey")]

    run(migration.add_index("name"))
    run(migration.add_index(["name", "mail"], unique=True))
    run(migration.add_index("sex", name="by_sex"))
    assert names() == ["by_sex", "users_email", "users_name", "users_name_email"]

    run(migration.drop_index("name"))
    run(migration.drop_index(("name", "mail")))
    run(migration.drop_index("by_sex"))
    assert names() == ["users_email"]

    with pytest.raises(ImproperlyConfigured, match=r"no such index; it has users_email, users_pke"):
        migration.drop_index("name")
    run(migration.drop_index("mail"))


def test_rename_table_knows_which_name_is_the_old_one(database, columns):
    create_table(database, Users)

    run(UserMigration().rename_table("people"))
    assert columns("people")
    run(UserMigration().rename_table("people"))
    assert columns("users")
    run(UserMigration().rename_table("users", "persons"))
    assert columns("persons")


def test_a_renamed_table_is_not_made_anew(database, query, columns):
    create_table(database, Users)

    class Before(MigrationModel):
        _model = Users

    Before().auto_migrate()
    query("INSERT INTO users (name, sex) VALUES ('kept', 'x')")

    class Renamed(peewee.Model):
        name = peewee.CharField()

        class Meta:
            table_name = "members"

    Renamed.__name__ = "Users"

    class After(MigrationModel):
        _model = Renamed

        def migrate_v1(self):
            migrate(self.rename_table("users", "members"))

    After().auto_migrate()

    assert query("SELECT name FROM members") == [("kept",)]
    assert columns("users") == []


MODELS = """
    from peewee import CharField, Model

    class Users(Model):
        name = CharField()
        sex = CharField()

        class Meta:
            table_name = "users"
            legacy_table_names = False
"""

MIGRATIONS = """
    from {models} import Users
    from msframework.migrations import MigrationModel, info, db, migrate


    class UserMigration(MigrationModel):
        _model = Users

        @info(version="v1", author="ada")
        def migrate_v1(self):
            migrate(self.add_column('sex'))


    def migrations():
        try:
            um = UserMigration()
            with db.transaction():
                um.auto_migrate()
                print("Success Migration")
        except Exception as e:
            raise e


    if __name__ == '__main__':
        migrations()
"""


@pytest.fixture
def accounts(project):
    project.write("mysite/accounts/models.py", MODELS)
    project.write(
        "mysite/accounts/migrations.py", MIGRATIONS.format(models="mysite.accounts.models")
    )
    return project


def test_the_runner_runs_classes_too(accounts, url, query, columns, recorded):
    query("CREATE TABLE users (id serial PRIMARY KEY, name varchar(255))")
    runner = Runner(url, ["mysite.accounts"])

    assert runner.pending() == ("accounts.Users.initial", "accounts.Users.v1")
    assert runner.migrate() == ("accounts.Users.initial", "accounts.Users.v1")

    assert columns("users") == ["id", "name", "sex"]
    assert recorded() == ["accounts.Users.initial", "accounts.Users.v1"]
    with pytest.raises(ImproperlyConfigured, match=r"accounts\.Users\.v1 cannot be taken back"):
        runner.migrate("accounts", "Users.initial")


def test_the_runner_records_the_versions_of_a_new_table(accounts, url, recorded):
    said = []

    assert Runner(url, ["mysite.accounts"], said.append).migrate() == ("accounts.Users.initial",)

    assert recorded() == ["accounts.Users.initial", "accounts.Users.v1"]
    assert said == ["Applying accounts.Users.initial (1 of 2)"]


@pytest.mark.parametrize("folder", [".", "mysite/accounts"])
def test_python_migrations_py(accounts, folder, url, columns, recorded, clean_environment):
    accounts.write("mysite/configs.py", f"DATABASE_URL = {url!r}\n")
    script = accounts.root / "mysite/accounts/migrations.py"
    environment = clean_environment | {
        "SANIC_CONFIG_MODULE": "mysite.configs",
        "PYTHONPATH": f"{accounts.root}:{clean_environment['PYTHONPATH']}",
    }

    for _ in range(2):
        result = subprocess.run(
            [sys.executable, str(script)],
            cwd=accounts.root / folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert result.stdout == "Success Migration\n"
        assert result.stderr == ""

    assert columns("users") == ["id", "name", "sex"]
    assert recorded() == ["accounts.Users.initial", "accounts.Users.v1"]


def test_a_directory_names_the_app_of_a_script(accounts, url):
    import importlib

    module = importlib.import_module("mysite.accounts.migrations")

    assert {step.app for step in read_class(module.UserMigration)} == {"accounts"}


def test_an_operation_by_itself_closes_what_observes_it(database, monkeypatch):
    closed = []
    monkeypatch.setattr(Execution, "close", lambda self: closed.append(self))
    database.execute_sql(OLD_TABLE)

    UserMigration().add_column("age", peewee.IntegerField(default=3)).run()

    assert len(closed) == 1
