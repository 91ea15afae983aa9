"""The blueprints of the shop."""

from tests.collection.shop import diary, memberships, notes, people, tags

__all__ = ["diary", "memberships", "notes", "people", "tags"]
