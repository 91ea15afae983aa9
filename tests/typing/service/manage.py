"""Runs the commands of the shop."""

import sys

from msframework.management import execute

if __name__ == "__main__":
    sys.exit(execute(default_settings="settings.test"))
