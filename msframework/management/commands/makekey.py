"""`manage.py makekey`: a new API key and its hash. Runs on the command line."""

from __future__ import annotations

import secrets

import click

from msframework.access.api_key import hash_key


@click.command("makekey")
def command() -> None:
    """Make a random API key, and print it with the hash that the service stores.

    The key goes to who will use it, and is shown this once; the hash goes into the keys of
    APIKey(...) or into a table.
    """
    key = secrets.token_urlsafe(32)
    click.echo(f"key:  {key}\nhash: {hash_key(key)}")
