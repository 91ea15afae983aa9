"""Chapter Model & Migration: the model as printed, and the versions of its table."""

import subprocess
import sys
import time

import psycopg
import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations import MigrationModel, info, migrate
from msframework.migrations.connection import opened
from msframework.models import CharField, IntegerField, Model
from msframework.schemas import ModelSchema, Reference
from tests.origin.project import models_and_migrations, with_first_version, write_project
from tests.origin.support import PATIENCE, environment, run

CODE = "Model & Migration, code 1"
RECORDED = (
    "info装饰器会创建表migrate_record来记录migrate，version每个model中必须唯一，"
    "使用version来记录是否执行过，还可以记录author，datetime"
)
COLUMNS = ["id", "create_time", "name", "age", "sex", "city_id", "role_id"]


class People(Model):
    """A model that its migrations have grown up with."""

    name = CharField(max_length=128)
    sex = CharField(max_length=32, default="?")
    years = IntegerField(null=True)

    class Meta:
        table_name = "people"


class Migration(MigrationModel):
    """What the migrations below share."""

    _model = People
    _app = "origin"


OLD = (
    "CREATE TABLE people (id serial PRIMARY KEY, name varchar(128) NOT NULL, age integer NOT NULL)"
)


AT_WORK = """
    SELECT count(*), EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation')
    FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'msframework migrations'"""


@pytest.fixture
def root(tmp_path, url):
    """The project, on an empty database."""
    return write_project(tmp_path / "project", url)


@pytest.fixture
def older(root, query):
    """The project with the version that is commented out, on a table without its column."""
    path = root / "service" / "migrations.py"
    path.write_text(with_first_version(models_and_migrations()[1]))
    query(
        "CREATE TABLE users (id serial PRIMARY KEY, create_time timestamp NOT NULL DEFAULT "
        "timezone('utc', now()), name varchar(128) NOT NULL, age integer NOT NULL, "
        "city_id integer NOT NULL, role_id integer NOT NULL)"
    )
    return root


@pytest.fixture
def auto_migrate(url):
    """Brings the table of a MigrationModel up to date, as `migrations()` of the document does."""

    def auto_migrate(owner):
        with opened(url) as database, database.transaction():
            owner(database).auto_migrate()

    return auto_migrate


def migrations_py(root):
    """Run `python migrations.py`."""
    return run(root, "python", "migrations.py", cwd=root / "service")


@pytest.mark.origin(
    CODE,
    "运行命令 python migrations.py",
    "ORM使用peewee, 只是用来做模型设计和migration, 数据操作使用asyncpg。",
    "使用peewee为ORM，但是只是用来做模型设计和migration。",
)
def test_python_migrations_py_makes_the_table_of_the_model(root, query, columns):
    done = migrations_py(root)

    assert (done.returncode, done.stdout) == (0, "Success Migration\n"), done.stderr
    assert columns("users") == COLUMNS
    ((length, nullable),) = query(
        "SELECT character_maximum_length, is_nullable FROM information_schema.columns "
        "WHERE table_name = 'users' AND column_name = 'name'"
    )
    assert (length, nullable) == (128, "NO")
    assert query("SELECT app, name FROM migrate_record") == [("service", "Users.initial")]


@pytest.mark.origin(
    CODE,
    "migrate_v1函数添加字段sex, 在BaseModel中要先添加name字段",
    "运行命令 python migrations.py",
)
def test_migrate_v1_adds_the_column_that_the_model_has(older, columns, recorded):
    first = migrations_py(older)
    second = migrations_py(older)

    assert (first.stdout, second.stdout) == ("Success Migration\n",) * 2, first.stderr
    assert sorted(columns("users")) == sorted(COLUMNS)
    assert recorded() == ["service.Users.initial", "service.Users.v1"]


@pytest.mark.origin("运行命令 python migrations.py")
def test_manage_py_migrate_runs_the_same(older, columns, recorded):
    done = run(older, "python", "manage.py", "migrate")
    again = migrations_py(older)

    assert done.returncode == 0, done.stderr
    assert "Applying service.Users.v1" in done.stdout
    assert again.returncode == 0, again.stderr
    assert "sex" in columns("users")
    assert recorded() == ["service.Users.initial", "service.Users.v1"]


@pytest.mark.origin("运行命令 python migrations.py", RECORDED)
def test_two_runs_at_once_are_safe(older, columns, recorded, query, url):
    command = [sys.executable, "migrations.py"]
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE users IN ACCESS SHARE MODE")
        runs = [
            subprocess.Popen(
                command,
                cwd=older / "service",
                env=environment(older),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        # One is at the table, which it cannot change while we hold it; the other is there too.
        deadline = time.monotonic() + 6 * PATIENCE
        while (seen := query(AT_WORK)) != [(2, True)] and time.monotonic() < deadline:
            time.sleep(0.02)
    said = [process.communicate(timeout=250) for process in runs]

    assert seen == [(2, True)], said
    assert [process.returncode for process in runs] == [0, 0], said
    assert [output for output, _ in said] == ["Success Migration\n"] * 2
    assert columns("users").count("sex") == 1
    assert recorded() == ["service.Users.initial", "service.Users.v1"]


@pytest.mark.origin(CODE)
def test_the_model_says_what_its_columns_are(mysite):
    from service.api import CityApi
    from service.models import Users

    fields = ModelSchema.of(Users)().fields

    assert fields["name"].metadata["title"] == "user's name"
    assert isinstance(fields["city_id"], Reference)
    assert fields["city_id"].target is CityApi
    assert fields["age"].required


@pytest.mark.origin(RECORDED)
def test_the_record_holds_version_author_and_datetime(query, auto_migrate):
    query(OLD)

    class Versions(Migration):
        @info(version="v1", author="songcser", datetime="2017/12/28")
        def migrate_sex(self):
            migrate(self.add_column("sex"))

    auto_migrate(Versions)

    rows = query("SELECT app, name, author, datetime FROM migrate_record WHERE author IS NOT NULL")
    assert rows == [("origin", "People.v1", "songcser", "2017/12/28")]


@pytest.mark.origin(RECORDED)
def test_a_recorded_version_is_not_run_again(query, auto_migrate):
    query(OLD)
    runs = []

    class Versions(Migration):
        @info(version="v1")
        def migrate_v1(self):
            runs.append("v1")

    auto_migrate(Versions)
    auto_migrate(Versions)

    assert runs == ["v1"]


@pytest.mark.origin(RECORDED)
def test_a_version_used_twice_in_a_model_is_refused(query, auto_migrate, recorded, columns):
    query(OLD)

    class Versions(Migration):
        @info(version="v1")
        def migrate_a(self):
            migrate(self.add_column("sex"))

        @info(version="v1")
        def migrate_b(self):
            raise NotImplementedError

    with pytest.raises(ImproperlyConfigured, match=r"migrate_b: version 'v1' is taken"):
        auto_migrate(Versions)

    assert "sex" not in columns("people")


@pytest.mark.origin(RECORDED)
def test_two_models_may_have_the_same_version(query, auto_migrate, recorded):
    class Others(Model):
        class Meta:
            table_name = "others"

    query("CREATE TABLE others (id serial PRIMARY KEY, more integer)")
    query(OLD)

    class First(Migration):
        @info(version="v1")
        def migrate_v1(self):
            migrate(self.add_column("sex"))

    class Second(Migration):
        _model = Others

        @info(version="v1")
        def migrate_v1(self):
            migrate(self.drop_column("more"))

    auto_migrate(First)
    auto_migrate(Second)

    assert {"origin.People.v1", "origin.Others.v1"} <= set(recorded())


@pytest.mark.origin(RECORDED)
def test_on_a_fresh_table_older_versions_are_recorded_and_not_run(auto_migrate, columns, recorded):
    class Versions(Migration):
        @info(version="v1")
        def migrate_v1(self):
            raise NotImplementedError

        @info(version="v2")
        def migrate_v2(self):
            raise NotImplementedError

    auto_migrate(Versions)

    assert columns("people") == ["id", "name", "sex", "years"]
    assert recorded() == ["origin.People.initial", "origin.People.v1", "origin.People.v2"]


@pytest.mark.origin("migrate函数必须以migrate_开头")
def test_only_methods_called_migrate_run_in_the_order_of_their_definition(query, auto_migrate):
    query(OLD)
    runs = []

    class Versions(Migration):
        def migrate_z(self):
            runs.append("z")

        def helper(self):
            runs.append("helper")

        def migrate_a(self):
            runs.append("a")

        def migrated(self):
            runs.append("migrated")

    auto_migrate(Versions)

    assert runs == ["z", "a"]


@pytest.mark.origin("migrate函数必须以migrate_开头")
def test_a_version_whose_name_begins_otherwise_is_refused(auto_migrate):
    class Versions(Migration):
        @info(version="v1")
        def upgrade(self):
            raise NotImplementedError

    with pytest.raises(ImproperlyConfigured, match=r"does not begin with 'migrate_'"):
        auto_migrate(Versions)


@pytest.mark.origin(RECORDED)
def test_a_method_that_fails_leaves_neither_its_change_nor_its_record(
    query, url, columns, recorded
):
    query(OLD)

    class Versions(Migration):
        @info(version="v1")
        def migrate_v1(self):
            migrate(self.add_column("sex"))

        @info(version="v2")
        def migrate_v2(self):
            migrate(self.drop_column("age"))
            raise RuntimeError("half way")

    with opened(url) as database, pytest.raises(RuntimeError, match="half way"):
        Versions(database).auto_migrate()

    assert columns("people") == ["id", "name", "age", "sex"]
    assert recorded() == ["origin.People.initial", "origin.People.v1"]


@pytest.mark.origin(CODE)
def test_in_one_transaction_all_is_taken_back_together(query, auto_migrate, columns):
    query(OLD)

    class Versions(Migration):
        @info(version="v1")
        def migrate_v1(self):
            migrate(self.add_column("sex"))

        @info(version="v2")
        def migrate_v2(self):
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        auto_migrate(Versions)

    assert columns("people") == ["id", "name", "age"]
    assert query("SELECT to_regclass('migrate_record')") == [(None,)]


@pytest.mark.origin("migrate_v1函数添加字段sex, 在BaseModel中要先添加name字段")
def test_a_column_that_the_model_lacks_is_refused(query, auto_migrate):
    query(OLD)

    class Versions(Migration):
        def migrate_v1(self):
            migrate(self.add_column("shoe_size"))

    with pytest.raises(ImproperlyConfigured, match="Add it to the model first"):
        auto_migrate(Versions)


def facts(query):
    """Return the columns of `people` with whether they may be null, and its indexes."""
    columns = query(
        "SELECT column_name, is_nullable FROM information_schema.columns "
        "WHERE table_name = 'people' ORDER BY ordinal_position"
    )
    indexes = query("SELECT indexname FROM pg_indexes WHERE tablename = 'people' ORDER BY 1")
    return dict(columns), [name for (name,) in indexes if name != "people_pkey"]


OPERATIONS = {
    "add_column": (lambda self: self.add_column("sex"), "sex", "NO"),
    "rename_column": (lambda self: self.rename_column("age", "years"), "years", "NO"),
    "drop_column": (lambda self: self.drop_column("age"), "age", None),
    "drop_not_null": (lambda self: self.drop_not_null("age"), "age", "YES"),
}


@pytest.mark.origin(CODE)
@pytest.mark.parametrize("name", OPERATIONS)
def test_what_migrate_is_given_changes_a_column(query, auto_migrate, name):
    query(OLD)
    query("INSERT INTO people (name, age) VALUES ('Ada', 36)")
    operation, column, nullable = OPERATIONS[name]

    class Versions(Migration):
        def migrate_v1(self):
            migrate(operation(self))

    auto_migrate(Versions)

    assert facts(query)[0].get(column) == nullable
    assert query("SELECT name FROM people") == [("Ada",)]


@pytest.mark.origin(CODE)
def test_not_null_comes_back(query, auto_migrate):
    query(OLD.replace("age integer NOT NULL", "age integer"))

    class Versions(Migration):
        def migrate_v1(self):
            migrate(self.add_not_null("age"))

    auto_migrate(Versions)

    assert facts(query)[0]["age"] == "NO"


@pytest.mark.origin(CODE)
def test_indexes_come_and_go(query, auto_migrate):
    query(OLD)
    found = []

    class Versions(Migration):
        def migrate_v1(self):
            migrate(self.add_index("name"), self.add_index(("name", "age"), unique=True))
            found.extend(self.database.get_indexes("people"))

        def migrate_v2(self):
            migrate(self.drop_index("name"))

    auto_migrate(Versions)

    made = {tuple(index.columns): index.unique for index in found}
    assert (made["name",], made["name", "age"]) == (False, True)
    assert facts(query)[1] == ["people_name_age"]


@pytest.mark.origin(CODE)
def test_a_table_gets_the_new_name_of_its_model(query, auto_migrate):
    def people(table):
        return type("People", (People,), {"Meta": type("Meta", (), {"table_name": table})})

    class Before(Migration):
        _model = people("persons")

    class After(Migration):
        _model = people("people")

        def migrate_v1(self):
            migrate(self.rename_table("persons", "people"))

    auto_migrate(Before)
    query("INSERT INTO persons (name, sex) VALUES ('Ada', 'female')")
    auto_migrate(After)

    assert query("SELECT name FROM people") == [("Ada",)]
    assert query("SELECT to_regclass('persons')") == [(None,)]
