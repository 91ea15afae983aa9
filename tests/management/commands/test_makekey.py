"""`manage.py makekey`: a key for a caller, its hash for the service."""

import re

from click.testing import CliRunner

from msframework.access.api_key import hash_key
from msframework.management.commands.makekey import command


def test_the_key_is_printed_once_with_its_hash():
    first, second = (CliRunner().invoke(command).output for _ in range(2))

    key, digest = re.fullmatch(r"key:  (\S{43})\nhash: (\S+)\n", first).groups()
    assert digest == hash_key(key)
    assert first != second
