"""Collections: `ModelResource`, whose actions are generated from a model and its schema."""

from msframework.collection.expansion import Expansion
from msframework.collection.model_resource import ModelResource

__all__ = ["Expansion", "ModelResource"]
