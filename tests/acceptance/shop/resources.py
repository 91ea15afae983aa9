"""The blueprints of the shop, and one more collection."""

from msframework import Blueprint, ModelResource, ModelSchema
from tests.collection.shop import Tagging, diary, memberships, notes, people, tags

__all__ = ["diary", "memberships", "notes", "people", "taggings", "tags"]


class TaggingSchema(ModelSchema):
    """A place where a tag stands; the tag cannot go before it."""

    class Meta:
        model = Tagging
        fields = ("id", "tag_id")


taggings = Blueprint("taggings", url_prefix="/taggings")


@taggings.collection("/")
class Taggings(ModelResource):
    """Where the tags stand."""

    schema = TaggingSchema
