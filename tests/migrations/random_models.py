"""Models made at random, of all that peewee lets a model say."""

import random

import peewee
from peewee import SQL, Check, CompositeKey, ForeignKeyField, Model, fn
from playhouse import postgres_ext

from msframework import models as ours

NAMES = (
    *("a", "age", "name", "User", "select", "created at", "größe", "date", "keys", "type", "order"),
    *("value", "x_1", "a_really_rather_long_name_of_a_column", "OtherLongNameWithCapitals" * 2),
)
SCHEMAS = (None, None, "shop", "Other Schema")
ACTIONS = (None, "CASCADE", "set null", "RESTRICT", "NO ACTION")


def _kinds(rng):
    """Return the fields that can be made, each by a function of its options."""
    digits = rng.randint(3, 12)
    return (
        peewee.IntegerField,
        peewee.BigIntegerField,
        peewee.SmallIntegerField,
        peewee.TextField,
        peewee.BooleanField,
        peewee.DoubleField,
        peewee.UUIDField,
        peewee.DateField,
        peewee.TimeField,
        peewee.DateTimeField,
        peewee.BlobField,
        ours.DateTimeTZField,
        lambda **options: peewee.CharField(max_length=rng.randint(1, 300), **options),
        lambda **options: peewee.FixedCharField(max_length=rng.randint(1, 30), **options),
        lambda **options: peewee.DecimalField(digits, rng.randint(0, 3), **options),
        lambda **options: postgres_ext.ArrayField(
            rng.choice([peewee.IntegerField, peewee.CharField]),
            dimensions=rng.randint(1, 2),
            **{**options, "unique": False},
        ),
    )


def _clauses(rng, column):
    """Return clauses of SQL that a column of any type takes."""
    quoted = '"' + column + '"'
    every = [
        Check(f"{quoted} IS NOT NULL"),
        Check(f"length({quoted}::text) < 900", rng.choice([None, f"Short {column[:9]}"])),
        SQL("UNIQUE"),
        SQL("NULL"),
        SQL("UNIQUE NULLS NOT DISTINCT DEFERRABLE"),
        SQL("DEFAULT NULL"),
    ]
    return rng.sample(every, rng.choice([0, 0, 0, 1, 2]))


def _field(rng, name, targets):
    options = {
        "null": rng.random() < 0.5,
        "index": rng.random() < 0.3,
        "unique": rng.random() < 0.2,
        "column_name": rng.choice([None, None, name + "_of"]),
    }
    column = options["column_name"] or name
    kind = rng.choice(_kinds(rng))
    if targets and rng.random() < 0.3:
        deferrable = rng.choice([None, "INITIALLY DEFERRED", "INITIALLY IMMEDIATE"])
        return ForeignKeyField(
            rng.choice([*targets, "self"]),
            backref="+",
            on_delete=rng.choice(ACTIONS),
            on_update=rng.choice(ACTIONS),
            deferrable=deferrable,
            object_id_name=f"object_{rng.random()}",
            constraint_name=rng.choice([None, None, f"Key of {name}"]),
            **{**options, "null": True},
        )
    clauses = _clauses(rng, column)
    if any(clause.sql == "NULL" for clause in clauses if isinstance(clause, SQL)):
        options["null"] = True
    text = kind in (peewee.TextField,)
    collation = rng.choice([None, '"C"']) if text else None
    return kind(constraints=clauses, collation=collation, **options)


def _is_own(field):
    """Say whether *field* points to its own model."""
    return isinstance(field, ForeignKeyField) and field.rel_model == "self"


def _indexes(rng, fields):
    others = (ForeignKeyField, postgres_ext.ArrayField)
    plain = [name for name, field in fields.items() if not isinstance(field, others)]
    found = []
    for _ in range(rng.choice([0, 0, 1, 2]) if len(plain) > 1 else 0):
        columns = sorted(rng.sample(plain, rng.randint(2, min(len(plain), 3))))
        found.append((columns, rng.random() < 0.5))
    return list({tuple(columns): (columns, unique) for columns, unique in found}.values())


def _add_indexes(rng, model, number):
    fields = [
        field
        for field in model._meta.sorted_fields
        if not isinstance(field, (ForeignKeyField, postgres_ext.ArrayField)) and field.name != "id"
    ]
    for count in range(rng.choice([0, 1, 2]) if fields else 0):
        field = rng.choice(fields)
        unique = rng.random() < 0.5
        part = rng.choice(
            [
                field,
                field.desc(),
                field.asc(nulls="FIRST"),
                field.desc(nulls="last"),
                fn.lower(field) if type(field) is peewee.TextField else field.asc(),
            ]
        )
        model.add_index(
            model.index(
                part,
                unique=unique,
                nulls_distinct=rng.choice([None, True, False]) if unique else None,
                where=rng.choice([None, field.is_null(False), (field.is_null()) | SQL("1 = 1")]),
                name=f"Index {count} of {number}",
            )
        )


def make_models(seed, count):
    """Return *count* models, which point to each other."""
    rng = random.Random(seed)
    models = []
    for number in range(count):
        names = rng.sample(NAMES, rng.randint(1, 7))
        fields = {name: _field(rng, name, models) for name in names}
        meta = {
            "table_name": f"t{number}" + rng.choice(["", " With Capitals", "_" + "x" * 40]),
            "legacy_table_names": False,
            "schema": rng.choice(SCHEMAS),
            "constraints": [
                Check("1 < 2"),
                Check("id > 0 OR id < 0"),
            ][: rng.choice([0, 0, 1, 2])],
            "table_settings": rng.choice([None, None, "WITH (fillfactor = 60)"]),
        }
        meta["indexes"] = _indexes(rng, fields)
        fields |= {
            "id": rng.choice([peewee.AutoField, peewee.BigAutoField, peewee.IdentityField])()
        }
        if rng.random() < 0.15:
            fields = {name: each for name, each in fields.items() if not _is_own(each)}
            fields |= {"id": peewee.UUIDField(null=True), names[0]: peewee.IntegerField()}
            meta["primary_key"] = CompositeKey(
                "id", rng.choice([each for each in fields if each != "id"])
            )
            meta |= {"constraints": [], "indexes": ()}
        model = type(
            f"T{number}",
            (Model,),
            {**fields, "Meta": type("Meta", (), meta), "__module__": __name__},
        )
        _add_indexes(rng, model, number)
        if not model._meta.composite_key:
            models.append(model)
        yield model
