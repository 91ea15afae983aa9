"""`python -m msframework`: the same commands as `manage.py`, with the settings you name."""

from __future__ import annotations

import sys

from msframework.management import execute

if __name__ == "__main__":
    sys.exit(execute())
