"""The project's command line: `python manage.py --help` lists what it can do."""

import sys

from msframework.management import execute

if __name__ == "__main__":
    sys.exit(execute(default_settings="settings.development"))
