import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.files import read_apps, read_state, read_steps
from msframework.migrations.merge import draft_merges
from msframework.migrations.step import label

NOTHING = "def up(migrator, db):\n    pass\n"
MODEL = """
    from peewee import Model

    class Thing(Model):
        pass
"""


def test_steps_come_in_the_order_of_the_apps_and_numbers(project):
    for name in ("0010_last", "0001_initial", "0002_next"):
        project.write(f"forest/oak/migrations/{name}.py", NOTHING)
    project.write("forest/elm/migrations/0001_initial.py", NOTHING)
    project.write("forest/bush.py", "")

    steps = read_steps(["forest.oak", "forest.elm", "forest.bush"])

    assert [label(step) for step in steps] == [
        "oak.0001_initial",
        "oak.0002_next",
        "oak.0010_last",
        "elm.0001_initial",
    ]


def test_classes_may_depend_on_other_apps(project):
    project.write("forest/oak/models.py", MODEL)
    project.write(
        "forest/oak/migrations.py",
        """
        from msframework.migrations import MigrationModel
        from .models import Thing

        class ThingMigration(MigrationModel):
            _model = Thing
            _depends = ("elm.0001",)
        """,
    )
    project.write("forest/elm/migrations/0001_initial.py", NOTHING)

    steps = read_steps(["forest.oak", "forest.elm"])

    assert [label(step) for step in steps] == ["elm.0001_initial", "oak.Thing.initial"]


def test_all_mistakes_are_listed_together(project):
    project.write("forest/oak/migrations/0001_initial.py", "depends = 'elm.0001'\n")
    project.write("forest/elm/migrations/0001_initial.py", NOTHING)
    project.write("park/elm/__init__.py", "")
    project.write("forest/ash/migrations/0001_initial.py", NOTHING)
    project.write("forest/ash/migrations.py", "")
    project.write("forest/yew/models.py", MODEL)
    project.write(
        "forest/yew/migrations.py",
        """
        from msframework.migrations import MigrationModel
        from .models import Thing

        class One(MigrationModel):
            pass

        class Two(MigrationModel):
            pass
        """,
    )
    apps = ["forest.oak", "forest.elm", "park.elm", "forest.ash", "forest.yew", "forest.gone"]

    with pytest.raises(ImproperlyConfigured) as caught:
        read_steps(apps)

    path = project.root / "forest/oak/migrations/0001_initial.py"
    assert [problem.partition(". ")[0] for problem in caught.value.problems] == [
        f"{path}: defines neither operations nor up(migrator, db)",
        f"{path}: depends is 'elm.0001'; write a tuple of 'app.name'.",
        "INSTALLED_APPS: 'park.elm' and 'forest.elm' both end in 'elm', which their migrations "
        "are recorded under",
        "forest.ash: has both migrations.py and a directory migrations/",
        "One: set _model to the model that it migrates.",
        "Two: set _model to the model that it migrates.",
        "INSTALLED_APPS names 'forest.gone', which cannot be found",
    ]


def test_an_app_whose_parent_is_missing_is_named(project):
    with pytest.raises(ImproperlyConfigured, match=r"names 'nowhere\.oak'"):
        read_steps(["nowhere.oak"])


def test_two_classes_for_one_model_are_refused(project):
    project.write("forest/oak/models.py", MODEL)
    project.write(
        "forest/oak/migrations.py",
        """
        from msframework.migrations import MigrationModel
        from .models import Thing

        class One(MigrationModel):
            _model = Thing

        class Two(MigrationModel):
            _model = Thing
        """,
    )

    with pytest.raises(ImproperlyConfigured, match=r"oak\.Thing\.initial: there are two"):
        read_steps(["forest.oak"])


def test_a_note_that_no_migration_has_is_refused(project):
    project.write("forest/oak/models.py", MODEL)
    project.write(
        "forest/oak/migrations.py",
        """
        from msframework.migrations import MigrationModel, info
        from forest.oak.models import Thing

        class Shared:
            @info(version="v1")
            def migrate_one(self):
                pass

        class One(Shared, MigrationModel):
            _model = Thing

        class Bare:
            @info(version="v2")
            def migrate_two(self):
                pass

        @info(version="v3")
        def migrate_three():
            pass
        """,
    )

    with pytest.raises(ImproperlyConfigured) as caught:
        read_steps(["forest.oak"])

    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "forest.oak.migrations.migrate_three",
        "forest.oak.migrations.Bare.migrate_two",
    ]


def test_unknown_dependencies_and_circles_are_refused(project):
    project.write("forest/oak/migrations/0001_initial.py", "depends = ('elm.0001',)\n" + NOTHING)
    project.write("forest/elm/migrations/0001_initial.py", "depends = ['oak.0001']\n" + NOTHING)
    project.write("forest/ash/migrations/0001_initial.py", "depends = ['fir.0001']\n" + NOTHING)

    with pytest.raises(ImproperlyConfigured) as caught:
        read_steps(["forest.oak", "forest.elm", "forest.ash"])

    assert [problem.partition(". ")[0] for problem in caught.value.problems] == [
        "Migrations depend on each other in a circle: oak.0001_initial → elm.0001_initial → "
        "oak.0001_initial.",
        "ash.0001_initial: depends on 'fir.0001', which does not exist",
    ]


def test_a_file_that_follows_one_which_is_not_there_is_no_branch(project):
    project.write("forest/oak/migrations/0001_initial.py", NOTHING)
    project.write("forest/oak/migrations/0002_more.py", "depends = ['oak.0005']\n" + NOTHING)

    for read in (read_steps, lambda apps: draft_merges(apps, None, None)):
        with pytest.raises(ImproperlyConfigured, match=r"depends on 'oak\.0005', which does not"):
            read(["forest.oak"])


FILE = "from msframework.migrations import AddColumn, Column, Run, Table\n"
EMPTY = "operations = ()\n"


def mistakes(project, **files):
    """Return what is wrong with an app of these files, without the directory."""
    for name, text in files.items():
        project.write(f"forest/oak/migrations/{name.removeprefix('_')}.py", text)
    with pytest.raises(ImproperlyConfigured) as caught:
        read_steps(["forest.oak"])
    directory = f"{project.root}/forest/oak/migrations/"
    return [problem.removeprefix(directory) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("operations = (\n", "0001_a.py:1: SyntaxError: '(' was never closed."),
        (
            "from msframework.migrations import AddColum\n",
            "0001_a.py:1: ImportError: cannot import name 'AddColum' from "
            "'msframework.migrations' (",
        ),
        (
            FILE + 'operations = (\n    AddColumn("users"),\n)\n',
            "0001_a.py:3: TypeError: AddColumn.__init__() missing 1 required positional argument: "
            "'column'. Write AddColumn(table, column, fill=None).",
        ),
        (
            FILE + 'operations = (AddColumn("", Column("a", "integer")),)\n',
            "0001_a.py:2: AddColumn: table is ''; expected a name of 1 to 63 bytes.",
        ),
        ("x = 1 / 0\n", "0001_a.py:1: ZeroDivisionError: division by zero."),
        ("raise SystemExit\n", "0001_a.py:1: SystemExit."),
        ("import sys\nsys.exit('no')\n", "0001_a.py:2: SystemExit: no."),
        (
            "operations = ()\ndef up(migrator, db):\n    pass\n",
            "0001_a.py: has both operations and up(migrator, db). Put what up does",
        ),
        ("operations = ()\ndef down(migrator, db):\n    pass\n", "0001_a.py: has operations and d"),
        ("operation = ()\n", "0001_a.py: operation means nothing to a migration. Did you mean op"),
        (
            "def upgrade(op):\n    pass\n",
            "0001_a.py: upgrade means nothing to a migration. Did you mean up?",
        ),
        (EMPTY + "dependencies = ()\n", "0001_a.py: dependencies means nothing to a migration."),
        (EMPTY + "state = 1\n", "0001_a.py: state is 1; write a tuple of Table(…)."),
        (EMPTY + "state = (1,)\n", "0001_a.py: state holds 1; it takes Table(…) and EnumType(…)"),
        (EMPTY + "atomic = 'no'\n", "0001_a.py: atomic is 'no'; write True or False."),
        ("up = 1\n", "0001_a.py: up is no function. Write def up(migrator, db)."),
        ("operations = (1,)\n", "0001_a.py: operations holds 1, which is none."),
        (EMPTY + "replaces = 'a.b'\n", "0001_a.py: replaces is 'a.b'; write a tuple of"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_what_to_write(project, text, mistake):
    (found,) = mistakes(project, _0001_a=text)

    assert found.startswith(mistake)


def test_an_unknown_import_comes_with_the_name_that_is_meant(project):
    (found,) = mistakes(project, _0001_a="from msframework.migrations import AddColum\n")

    assert found.endswith("Did you mean AddColumn?")


def test_names_of_ones_own_are_let_alone(project):
    project.write(
        "forest/oak/migrations/0001_a.py",
        "import datetime\nRATE = 3\n_stat = 1\ndef fill(db):\n    pass\noperations = ()\n",
    )
    project.write("forest/oak/migrations/helpers.py", "RATE = 3\n")

    assert [label(step) for step in read_steps(["forest.oak"])] == ["oak.0001_a"]


def test_a_file_without_the_name_of_a_migration_is_named(project):
    found = mistakes(project, **{"_0001-add-sex": EMPTY, "_add_sex": EMPTY, "_helper": "x = 1\n"})

    assert [each.partition(":")[0] for each in found] == ["0001-add-sex.py", "add_sex.py"]
    assert "Begin it with a number" in found[0]


def test_a_file_follows_what_it_depends_on_else_the_one_before(project):
    project.write("forest/oak/migrations/0001_a.py", EMPTY)
    project.write("forest/oak/migrations/0002_b.py", EMPTY + "depends = ('oak.0001_a',)\n")
    project.write("forest/oak/migrations/0003_c.py", NOTHING)
    project.write("forest/elm/migrations/0001_a.py", NOTHING + "depends = ('oak.0002',)\n")

    steps = read_steps(["forest.oak", "forest.elm"])

    assert [step.depends for step in steps] == [
        (),
        ("oak.0001_a",),
        ("oak.0002_b",),
        ("oak.0002",),
    ]


def test_two_last_migrations_are_an_error_that_says_how_to_join_them(project):
    first = "depends = ('oak.0001_a',)\n"
    found = mistakes(
        project, _0001_a=EMPTY, _0002_b=EMPTY + first, _0002_c=EMPTY + first, _0003_d=NOTHING
    )

    assert found == [
        "oak has 2 last migrations, as from separate branches: oak.0002_b and oak.0003_d. "
        "`manage.py makemigrations --merge oak` joins them."
    ]


def test_files_without_dependencies_may_share_a_number(project):
    for name in ("0001_a", "0002_b", "0002_c"):
        project.write(f"forest/oak/migrations/{name}.py", NOTHING)

    assert [step.depends for step in read_steps(["forest.oak"])] == [
        (),
        ("oak.0001_a",),
        ("oak.0002_b",),
    ]


def test_the_state_is_that_of_the_last_file_that_says_one(project):
    state = FILE + EMPTY + 'state = (Table("oaks", (Column("id", "integer"),)),)\n'
    project.write("forest/oak/migrations/0001_a.py", state)
    project.write("forest/oak/migrations/0002_b.py", NOTHING)
    project.write("forest/elm/migrations/0001_a.py", NOTHING)

    steps = read_steps(["forest.oak", "forest.elm"])

    assert [table.name for table in read_state(steps, "oak").tables] == ["oaks"]
    assert read_state(steps, "elm") is None
    assert read_state(steps, "ash") is None


def test_operations_without_a_state_change_the_one_before(project):
    head = "from msframework.migrations import AddColumn, Column, CreateTable, Run, Table\n"
    made = 'operations = (CreateTable(Table("oaks", (Column("id", "integer"),))),)\n'
    added = 'operations = (AddColumn("oaks", Column("age", "integer")), Run("SELECT 1"))\n'
    project.write("forest/oak/migrations/0001_a.py", head + made)
    project.write("forest/oak/migrations/0002_b.py", NOTHING)
    project.write("forest/oak/migrations/0003_c.py", head + added)
    project.write("forest/elm/migrations/0001_a.py", head + added)

    steps = read_steps(["forest.oak", "forest.elm"])

    (table,) = read_state(steps, "oak").tables
    assert [column.name for column in table.columns] == ["id", "age"]
    assert read_state(steps, "elm") is None


def test_the_apps_of_good_files_are_read_beside_those_of_bad_ones(project):
    project.write("forest/oak/migrations/0001_a.py", "operations = (\n")
    project.write("forest/elm/migrations/0001_a.py", EMPTY)

    found = read_apps(["forest.oak", "forest.elm"])

    assert [label(step) for step in found.steps] == ["elm.0001_a"]
    assert list(found.problems) == ["forest.oak"]
