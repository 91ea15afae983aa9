"""Migrations: the run, the record, and the ways to write them. Runs at start-up.

The only package that knows `playhouse` and psycopg.
"""

from msframework.migrations.connection import db
from msframework.migrations.model import MigrationModel, info, migrate
from msframework.migrations.operations.columns import (
    AddColumn,
    AlterColumn,
    DropColumn,
    RenameColumn,
)
from msframework.migrations.operations.constraints import (
    AddConstraint,
    DropConstraint,
    RenameConstraint,
)
from msframework.migrations.operations.custom import Run
from msframework.migrations.operations.enums import AlterEnum, CreateEnum, DropEnum
from msframework.migrations.operations.indexes import CreateIndex, DropIndex, RenameIndex
from msframework.migrations.operations.tables import (
    CommentTable,
    CreateTable,
    DropTable,
    RenameTable,
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
