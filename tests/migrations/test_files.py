import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.files import read_steps
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
        f"{path}: defines neither operations nor up(migrator, db).",
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


def test_unknown_dependencies_and_circles_are_refused(project):
    project.write("forest/oak/migrations/0001_initial.py", "depends = ('elm.0001',)\n" + NOTHING)
    project.write("forest/elm/migrations/0001_initial.py", "depends = ['oak.0001']\n" + NOTHING)
    project.write("forest/ash/migrations/0001_initial.py", "depends = ['fir.0001']\n" + NOTHING)

    with pytest.raises(ImproperlyConfigured) as caught:
        read_steps(["forest.oak", "forest.elm", "forest.ash"])

    assert [problem.partition(". ")[0] for problem in caught.value.problems] == [
        "Migrations depend on each other in a circle: oak.0001_initial → elm.0001_initial → "
        "oak.0001_initial.",
        "ash.0001_initial: depends on 'fir.0001', which there is not",
    ]
