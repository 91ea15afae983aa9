"""Migrations: writing, running and recording changes of tables. Runs at start-up.

The only package that knows `playhouse` and psycopg.
"""

from msframework.migrations.connection import db
from msframework.migrations.model import MigrationModel, info, migrate
from msframework.migrations.operations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    AlterEnum,
    CommentTable,
    CreateEnum,
    CreateIndex,
    CreateTable,
    DropColumn,
    DropConstraint,
    DropEnum,
    DropIndex,
    DropTable,
    RenameColumn,
    RenameConstraint,
    RenameIndex,
    RenameTable,
    Run,
)
from msframework.migrations.runner import Runner
from msframework.migrations.schema import (
    Column,
    Constraint,
    EnumType,
    ForeignKey,
    Index,
    SchemaState,
    Table,
)

__all__ = [
    "AddColumn",
    "AddConstraint",
    "AlterColumn",
    "AlterEnum",
    "Column",
    "CommentTable",
    "Constraint",
    "CreateEnum",
    "CreateIndex",
    "CreateTable",
    "DropColumn",
    "DropConstraint",
    "DropEnum",
    "DropIndex",
    "DropTable",
    "EnumType",
    "ForeignKey",
    "Index",
    "MigrationModel",
    "RenameColumn",
    "RenameConstraint",
    "RenameIndex",
    "RenameTable",
    "Run",
    "Runner",
    "SchemaState",
    "Table",
    "db",
    "info",
    "migrate",
]
