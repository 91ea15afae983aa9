"""The schemas that declarations mean, each made once for all that are alike. Runs at start-up."""

from __future__ import annotations

from collections.abc import Collection, Hashable

from marshmallow import Schema

from msframework.exceptions import ImproperlyConfigured
from msframework.problem import Problem
from msframework.schemas import as_schema
from msframework.schemas.disclosure import find_disclosures
from msframework.schemas.model import SENSITIVE_FIELDS


class KnownSchemas(dict[Hashable, Schema]):
    """The schemas that were made already, by their declarations.

    Args:
        sensitive: columns that a model's schema never dumps.
    """

    def __init__(self, sensitive: Collection[str] = SENSITIVE_FIELDS) -> None:
        super().__init__()
        self.sensitive = sensitive
        # What `ModelSchema.of` cannot know of, as the settings are read later.
        self._further = frozenset(sensitive) - frozenset(SENSITIVE_FIELDS)

    def read(
        self,
        thing: object,
        what: str,
        where: str,
        problems: list[str],
        *,
        for_load: bool,
        for_texts: bool = False,
    ) -> Schema | None:
        """Return the schema that *thing* means, `None` where it means none, which is a problem.

        Args:
            what: what *thing* was given for, in the words of a problem.
            for_load: whether it reads input; whatever writes answers must keep secrets.
        """
        schema = self._read(thing, what, where, problems, for_load, for_texts)
        if schema is not None and self._further and not for_load:
            self._refuse_disclosures(schema, where, problems)
        return schema

    def _refuse_disclosures(self, schema: Schema, where: str, problems: list[str]) -> None:
        told = {each.found for each in problems if isinstance(each, Problem)}
        for each in find_disclosures(schema, self._further):
            problem = each.problem(where, self.sensitive)
            if problem.found not in told:  # many answers have one schema
                problems.append(problem)

    def _read(
        self,
        thing: object,
        what: str,
        where: str,
        problems: list[str],
        for_load: bool,
        for_texts: bool,
    ) -> Schema | None:
        key = _key_of(thing, for_load)
        if for_texts and key is not None:
            key = ("texts", key)
        if key in self:
            return self[key]
        try:
            schema = as_schema(
                thing,
                where=where,
                for_load=for_load,
                sensitive=self.sensitive,
                for_texts=for_texts,
            )
        except (TypeError, ValueError, ImproperlyConfigured) as exc:
            text = str(exc)
            problems.append(text if text.startswith(where) else f"{where}: {what}: {text}")
            return None
        if key is not None:
            self[key] = schema
        return schema


def _key_of(thing: object, for_load: bool) -> Hashable:
    """Return the key of all declarations that mean the same; `None` where that is not clear."""
    if isinstance(thing, type):
        return thing if issubclass(thing, Schema) else (thing, for_load)
    if isinstance(thing, (list, tuple)) and len(thing) == 1:
        inner = _key_of(thing[0], for_load)
        return None if inner is None else ("list", inner)
    if type(thing) is not dict:
        return None
    inner = tuple(_key_of(value, for_load) for value in thing.values())
    return None if None in inner else ("dict", for_load, tuple(thing), inner)
