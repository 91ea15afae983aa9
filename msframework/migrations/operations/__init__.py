"""The operations that migrations are made of."""

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

__all__ = [
    "AddColumn",
    "AddConstraint",
    "AlterColumn",
    "AlterEnum",
    "CommentTable",
    "CreateEnum",
    "CreateIndex",
    "CreateTable",
    "DropColumn",
    "DropConstraint",
    "DropEnum",
    "DropIndex",
    "DropTable",
    "RenameColumn",
    "RenameConstraint",
    "RenameIndex",
    "RenameTable",
    "Run",
]
