"""Migrations: the run, the record, and the two ways to write them. Runs at start-up.

The only package that knows `playhouse` and psycopg.
"""

from msframework.migrations.connection import db
from msframework.migrations.model import MigrationModel, info, migrate
from msframework.migrations.runner import Runner

__all__ = ["MigrationModel", "Runner", "db", "info", "migrate"]
