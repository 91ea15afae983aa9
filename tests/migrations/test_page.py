"""The page docs/concepts/migrations.md: its files are migrations, and its names those there are."""

import re
import textwrap
from pathlib import Path

import click

from msframework.management.commands import makemigrations, migrate, showmigrations
from msframework.migrations.files import read_steps
from msframework.migrations.migration_file import KNOWN, read_module_state
from msframework.migrations.runner import Runner
from msframework.migrations.source import render
from msframework.migrations.step import label

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "concepts" / "migrations.md").read_text(
    "utf-8"
)
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(WRITTEN,) = [each for each in BLOCKS if "AddColumn(" in each]
(CUSTOM,) = [each for each in BLOCKS if "Run(forward" in each]
(OLD,) = [each for each in BLOCKS if "def up(" in each]
OTHERS = [each for each in BLOCKS if each not in (WRITTEN, CUSTOM, OLD)]
FIRST = """
from msframework.migrations import Column, Constraint, CreateTable, Table

operations = (
    CreateTable(
        Table(
            "users",
            (
                Column("id", "integer", serial=True),
                Column("name", "varchar(128)"),
                Column("age", "integer", null=True),
            ),
            constraints=(Constraint("users_pkey", "PRIMARY KEY (id)"),),
        )
    ),
)
"""


def test_the_files_are_applied_and_taken_back(project, url, columns, query):
    project.write("shop/regions/migrations/0001_initial.py", "operations = ()\n")
    project.write("shop/users/migrations/0001_initial.py", FIRST)
    project.write("shop/users/migrations/0002_add_sex.py", WRITTEN)
    project.write("shop/users/migrations/0003_fill_ages.py", CUSTOM)
    project.write("shop/users/migrations/0004_old.py", OLD.replace('"sex"', '"gender"'))
    text = (project.root / "shop/users/migrations/0004_old.py").read_text()
    text = text.replace("SET sex", "SET gender")
    project.write("shop/users/migrations/0004_old.py", text)
    runner = Runner(url, ["shop.users", "shop.regions"])

    done = runner.migrate()

    assert sorted(done) == [
        "regions.0001_initial",
        "users.0001_initial",
        "users.0002_add_sex",
        "users.0003_fill_ages",
        "users.0004_old",
    ]
    assert columns("users") == ["id", "name", "age", "sex", "gender"]
    assert query("SELECT author FROM migrate_record WHERE name = '0004_old'") == [("Ada",)]
    runner.migrate("users", "zero")
    assert columns("users") == []


def test_the_written_file_is_laid_out_as_makemigrations_does(project):
    project.write("shop/users/migrations/0001_initial.py", FIRST)
    project.write("shop/users/migrations/0002_add_sex.py", WRITTEN)
    step = read_steps(["shop.users"])[1]
    scope = {}
    exec(WRITTEN, scope)

    text = render(
        scope["__doc__"], scope["depends"], True, step.operations, read_module_state(step.module)
    )

    assert label(step) == "users.0002_add_sex"
    assert text == WRITTEN


def test_the_other_blocks_run():
    for block in OTHERS:
        exec(textwrap.dedent(block), {"__name__": "example"})


def test_every_option_and_name_of_a_file_is_told():
    told = set(re.findall(r"--[a-z-]+", PAGE))
    commands = (makemigrations.command, migrate.command, showmigrations.command)
    options = {
        name
        for command in commands
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
    }

    assert {name for name in options if name not in told} <= {"--lock-timeout", "--lint"}
    assert [name for name in KNOWN if f"`{name}" not in PAGE] in ([], ["allow"])
