"""Collections: `ModelResource`, whose actions are generated from a model and its schema."""

from msframework.collection.expansion import Expansion
from msframework.collection.model_resource import ModelResource
from msframework.collection.remote import Remote

__all__ = ["Expansion", "ModelResource", "Remote"]
