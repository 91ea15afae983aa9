"""`ModelSchema`: a Schema whose fields are derived from a peewee model. Runs at start-up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

import peewee
from marshmallow import fields, validate
from marshmallow.schema import SchemaMeta

from msframework._place import full_name
from msframework.exceptions import ImproperlyConfigured
from msframework.schemas.field_map import make_field
from msframework.schemas.naming import NamingOpts, Schema
from msframework.schemas.reference import Reference
from msframework.schemas.storable import guard
from msframework.types import Field, FieldOptions, SchemaSource

SENSITIVE_FIELDS: Final = ("password", "password_hash", "secret", "token")


class AllFields:
    """The type of `ALL`."""

    def __repr__(self) -> str:
        return "ALL"


ALL: Final = AllFields()


class ModelSchemaOpts(NamingOpts):
    """The options of a Schema, `model`, and `fields = ALL`; `ModelSchema.of` sets two more.

    Attributes:
        sensitive: names of columns that the schemas of related objects never dump.
        is_implied: whether nobody said which columns are sensitive, so that a service asks.
    """

    def __init__(self, meta: type) -> None:
        self.model: Any = getattr(meta, "model", None)
        said = getattr(meta, "fields", None)
        if isinstance(said, str):
            text = "ALL" if said in ("__all__", "*") else f"({said!r},)"
            found = f"fields is {said!r}; expected a tuple of names, or ALL. Write fields = {text}."
            raise ImproperlyConfigured(f"{full_name(meta)}: {found}")
        self.all = said is ALL
        named = {"fields": (), "__qualname__": meta.__qualname__}
        super().__init__(type("Meta", (meta,), named) if self.all else meta)
        self.is_said = self.all or hasattr(meta, "fields") or hasattr(meta, "exclude")
        self.sensitive: Collection[str] = dict.fromkeys(
            (*SENSITIVE_FIELDS, *getattr(meta, "sensitive", ()))
        )
        self.is_implied: bool = getattr(meta, "is_implied", False)


class ModelSchemaMeta(SchemaMeta):
    """Adds the derived fields where marshmallow lets a plugin add some."""

    _derived: dict[str, Field]

    @classmethod
    def get_declared_fields(
        mcs,
        klass: Any,
        cls_fields: list[tuple[str, Field]],
        inherited_fields: list[tuple[str, Field]],
        dict_cls: type[dict[str, Field]] = dict,
    ) -> dict[str, Field]:
        """Return the fields of *klass* in the model's order; declared ones win."""
        options: ModelSchemaOpts = klass.opts
        klass._derived = {}
        if options.model is None:
            return super().get_declared_fields(klass, cls_fields, inherited_fields, dict_cls)
        where = klass.__qualname__
        _check_model(options, where)
        stale = {
            id(field)
            for base in klass.__mro__[1:]
            for field in getattr(base, "_derived", {}).values()
        }
        declared = dict([item for item in inherited_fields if id(item[1]) not in stale])
        declared |= dict(cls_fields)
        derived = dict(_derive(options, declared, where))
        klass._derived = {name: derived[name] for name in derived if name not in declared}
        found = dict_cls({**derived, **declared})
        _check_names(options, found, where)
        return found


class ModelSchema(Schema, metaclass=ModelSchemaMeta):
    """A Schema with a field for every column of `Meta.model`.

    `Meta.fields` (a tuple of names, or `ALL`) or `Meta.exclude` must be said. A declared field
    replaces the derived one. Text that PostgreSQL cannot hold is refused when it is loaded.

    Raises:
        ImproperlyConfigured: when the class is made: the model is none, neither `fields` nor
            `exclude` is said, a name is unknown, or a column's type is.
    """

    OPTIONS_CLASS = ModelSchemaOpts

    class Meta:
        pass

    def on_bind_field(self, field_name: str, field_obj: Field) -> None:
        """Keep text that PostgreSQL cannot hold out of loaded data."""
        super().on_bind_field(field_name, field_obj)
        guard(field_obj)

    @classmethod
    def of(
        cls,
        model: type[peewee.Model],
        *,
        sensitive: Collection[str] | None = None,
        **options: object,
    ) -> type[ModelSchema]:
        """Return a schema class of all columns of *model*.

        Args:
            sensitive: names of columns that are loaded, but never dumped: those that are named
                like a secret where it is left out, and a service that keeps further ones out of
                its answers refuses the schema.
            options: further options of `Meta`; `fields` or `exclude` instead of all, for instance.
        """
        names = {field.name for field in model._meta.sorted_fields}
        given = SENSITIVE_FIELDS if sensitive is None else sensitive
        hidden = [name for name in given if name in names]
        load_only: Any = options.pop("load_only", ())
        hidden += load_only
        if "fields" not in options and "exclude" not in options:
            options["fields"] = ALL
        said = {
            "model": model,
            "register": False,
            "load_only": tuple(hidden),
            "sensitive": tuple(given),
            "is_implied": sensitive is None,
        }
        meta = type("Meta", (getattr(cls, "Meta", object),), {**said, **options})
        return type(f"{model.__name__}Schema", (cls,), {"Meta": meta, "__doc__": model.__doc__})


def _check_model(options: ModelSchemaOpts, where: str) -> None:
    model = options.model
    if not (isinstance(model, type) and issubclass(model, peewee.Model)):
        raise ImproperlyConfigured(
            f"{where}.Meta: model is {model!r}, which is no peewee model. "
            "Name a subclass of msframework.models.Model."
        )
    if not options.is_said:
        raise ImproperlyConfigured(
            f"{where}.Meta: neither fields nor exclude is said, so a new column would be served "
            "unnoticed. Write fields = (…names…), fields = ALL, or exclude = (…names…)."
        )


def _check_names(options: ModelSchemaOpts, found: Mapping[str, object], where: str) -> None:
    columns = options.model._meta.sorted_fields
    known = {*found, *(name for column in columns for name, _ in _names(column))}
    problems = []
    for option in ("fields", "exclude", "load_only", "dump_only"):
        for name in getattr(options, option):
            if name.partition(".")[0] not in known:
                problems.append(
                    f"{where}.Meta: {option} names {name!r}, which neither "
                    f"{options.model.__name__} nor the schema has. "
                    f"They have {', '.join(sorted(known))}."
                )
    if problems:
        raise ImproperlyConfigured.of(problems)


def _derive(
    options: ModelSchemaOpts, declared: Mapping[str, Field], where: str
) -> Iterator[tuple[str, Field]]:
    wanted = None if options.all or not options.fields else set(options.fields)
    for column in options.model._meta.sorted_fields:
        for name, make in _names(column):
            if name in declared or name in options.exclude:
                # NOTE: a placeholder keeps the model's order; the declared one takes its place.
                yield name, declared.get(name, fields.Raw())
            elif name in wanted if wanted is not None else make is derive_field:
                yield name, make(column, name, where, options.sensitive)


Derive = Callable[[Any, str, str, Collection[str]], Field]


def _names(column: peewee.Field) -> Iterator[tuple[str, Derive]]:
    """Yield the names of a column in a schema: a foreign key is also there as its object."""
    if not isinstance(column, peewee.ForeignKeyField):
        yield column.name, derive_field
        return
    yield column.object_id_name, derive_field
    yield column.name, _derive_nested


def _derive_nested(
    column: peewee.ForeignKeyField, name: str, where: str, sensitive: Collection[str]
) -> Field:
    """Return the related object of a foreign key, as a handler put it under the key's name."""
    related = column.rel_model
    metadata = _metadata(column)
    return fields.Nested(lambda: _imply(related, sensitive)(), dump_only=True, metadata=metadata)


def _imply(model: type[peewee.Model], sensitive: Collection[str]) -> type[ModelSchema]:
    """Return the schema class of a related object, of which nobody said what is sensitive."""
    return ModelSchema.of(model, sensitive=sensitive, is_implied=True)


def derive_field(
    column: peewee.Field, name: str, where: str, sensitive: Collection[str] = SENSITIVE_FIELDS
) -> Field:
    """Return the marshmallow field of a peewee *column*.

    Args:
        sensitive: columns that the schema of a model that it refers to never dumps.

    Raises:
        ImproperlyConfigured: there is none for its type.
    """
    options: FieldOptions = {"metadata": _metadata(column)}
    if column.null:
        options["allow_none"] = True
    if column.column_name != name:
        options["attribute"] = column.column_name
    stamped = getattr(column, "is_automatic", False)
    if column.default is not None and not stamped:
        options["load_default"] = column.default
    automatic = column.default is not None or has_server_default(column)
    is_own = stamped or _says(column, "GENERATED ALWAYS")
    if is_own or (column.primary_key and (column.auto_increment or automatic)):
        options["dump_only"] = True
    elif not column.null and not automatic:
        options["required"] = True
    if column.choices:
        values, labels = zip(*column.choices, strict=True)
        options["validate"] = [validate.OneOf(values, labels)]
    try:
        if not _is_text(column.help_text):
            ids = make_field(column, {"validate": options.pop("validate", [])})
            return Reference(_target(column.help_text, sensitive), ids, **options)
        return make_field(column, options)
    except LookupError as exc:
        raise ImproperlyConfigured(
            f"{where}: no field is known for {column.model.__name__}.{column.name}, a "
            f"{type(column).__name__}. Declare {name} in {where}, or leave it out."
        ) from exc


def _target(thing: SchemaSource, sensitive: Collection[str]) -> SchemaSource:
    """Return the target of a Reference; a model through its schema."""
    if isinstance(thing, type) and issubclass(thing, peewee.Model):
        return _imply(thing, sensitive)
    return thing


def _is_text(help_text: object) -> bool:
    return help_text is None or isinstance(help_text, str)


def _metadata(column: peewee.Field) -> dict[str, str]:
    found = {}
    if column.verbose_name:
        found["title"] = str(column.verbose_name)
    if isinstance(column.help_text, str) and column.help_text:
        found["description"] = column.help_text
    return found


def has_server_default(column: peewee.Field) -> bool:
    """Tell whether PostgreSQL gives *column* a value where an INSERT does not."""
    return _says(column, "DEFAULT", "GENERATED") or bool(column.sequence)


def _says(column: peewee.Field, *starts: str) -> bool:
    """Tell whether one of the constraints of *column* starts with one of these words."""
    texts = (str(getattr(each, "sql", "")) for each in column.constraints or ())
    return any(" ".join(text.upper().split()).startswith(starts) for text in texts)
