"""Changes of models, written for peewee, SQLAlchemy and Django, that autogeneration may see.

Read by `benchmarks.migrations_compared`. A text without a class is the body of the model `Note`;
`None` says that the library's models cannot declare it.
"""

from dataclasses import dataclass

Pair = tuple[str, str] | None


@dataclass(frozen=True)
class ComparedChange:
    """One change: the models before and after, in each library's words."""

    name: str
    peewee: Pair
    alchemy: Pair
    django: Pair


def _c(name: str, peewee: Pair, alchemy: Pair, django: Pair) -> ComparedChange:
    return ComparedChange(name, peewee, alchemy, django)


def _field(name: str, peewee: Pair, alchemy: Pair, django: Pair) -> ComparedChange:
    """Return a change of the field `f`."""

    def body(pair: Pair) -> Pair:
        return pair and (f"f = {pair[0]}", f"f = {pair[1]}")

    return ComparedChange(name, body(peewee), body(alchemy), body(django))


def _added(name: str, peewee: str | None, alchemy: str | None, django: str | None):
    """Return a change that adds something to the body of a model with the integers f and g."""
    heads = (
        "f = IntegerField()\ng = IntegerField()\n",
        "f = mapped_column(Integer, nullable=False)\ng = mapped_column(Integer, nullable=False)\n",
        "f = models.IntegerField()\ng = models.IntegerField()\n",
    )
    pairs = [
        text and (head, head + text)
        for head, text in zip(heads, (peewee, alchemy, django), strict=True)
    ]
    return ComparedChange(name, *pairs)


def _turned(change: ComparedChange, name: str) -> ComparedChange:
    """Return the way back of *change*."""
    pairs = (change.peewee, change.alchemy, change.django)
    return ComparedChange(name, *(pair and (pair[1], pair[0]) for pair in pairs))


_OWNER = (
    "class Owner(Model):\n    name = TextField()\n",
    "class Owner(Base):\n    __tablename__ = 'owner'\n    id = mapped_column(Integer, "
    "primary_key=True)\n",
    "class Owner(models.Model):\n    name = models.TextField()\n    class Meta:\n"
    "        app_label = 'shop'\n        db_table = 'owner'\n        apps = APPS\n",
)
_NOTE = (
    "class Note(Model):\n",
    "class Note(Base):\n    __tablename__ = 'note'\n    id = mapped_column(Integer, "
    "primary_key=True)\n",
    "class Note(models.Model):\n    class Meta:\n        app_label = 'shop'\n"
    "        db_table = 'note'\n        apps = APPS\n",
)


def _linked(name: str, peewee: Pair, alchemy: Pair, django: Pair) -> ComparedChange:
    """Return a change of the foreign key of notes to owners."""
    pairs = []
    for number, pair in enumerate((peewee, alchemy, django)):
        head = _OWNER[number] + _NOTE[number]
        pairs.append(pair and (f"{head}    {pair[0]}\n", f"{head}    {pair[1]}\n"))
    return ComparedChange(name, *pairs)


_NULL = ", nullable=False"
_COLUMN = _c(
    "a column is added (NULL)",
    ("", "f = TextField(null=True)"),
    ("", "f = mapped_column(Text)"),
    ("", "f = models.TextField(null=True)"),
)
_INDEX = _added(
    "an index is added",
    "class Meta:\n    indexes = ((('f',), False),)",
    "__table_args__ = (Index('note_f', 'f'),)",
    "class Meta:\n    indexes = [models.Index(fields=['f'], name='note_f')]",
)
_CHECK = _added(
    "a check is added",
    "class Meta:\n    constraints = [SQL('CONSTRAINT positive CHECK (f > 0)')]",
    "__table_args__ = (CheckConstraint('f > 0', name='positive'),)",
    "class Meta:\n    constraints = [models.CheckConstraint(condition=models.Q(f__gt=0), "
    "name='positive')]",
)
_UNIQUE = _added(
    "uniqueness of two columns is added",
    "class Meta:\n    indexes = ((('f', 'g'), True),)",
    "__table_args__ = (UniqueConstraint('f', 'g', name='note_f_g'),)",
    "class Meta:\n    constraints = [models.UniqueConstraint(fields=['f', 'g'], name='note_f_g')]",
)
_KEY = "mapped_column(ForeignKey('owner.id'), nullable=False)"
_LINK = _linked(
    "a foreign key is put on a column",
    ("owner_id = IntegerField()", "owner = ForeignKeyField(Owner)"),
    ("owner_id = mapped_column(Integer, nullable=False)", f"owner_id = {_KEY}"),
    (
        "owner_id = models.IntegerField()",
        "owner = models.ForeignKey(Owner, models.CASCADE, db_index=False)",
    ),
)
_EMPTY = tuple(text + "    pass\n" for text in _NOTE)

CHANGES = (
    _c(
        "a table is added",
        (_EMPTY[0], _EMPTY[0] + _OWNER[0]),
        (_EMPTY[1], _EMPTY[1] + _OWNER[1]),
        (_EMPTY[2], _EMPTY[2] + _OWNER[2]),
    ),
    _c(
        "a table is dropped",
        (_EMPTY[0] + _OWNER[0], _EMPTY[0]),
        (_EMPTY[1] + _OWNER[1], _EMPTY[1]),
        (_EMPTY[2] + _OWNER[2], _EMPTY[2]),
    ),
    _c(
        "a table is renamed",
        (_OWNER[0], _OWNER[0].replace("Owner", "Keeper")),
        (_OWNER[1], _OWNER[1].replace("'owner'", "'keeper'")),
        (_OWNER[2], _OWNER[2].replace("'owner'", "'keeper'").replace("Owner", "Keeper")),
    ),
    _c(
        "a table moves to another schema",
        ("", "class Meta:\n    schema = 'other'"),
        ("", "__table_args__ = {'schema': 'other'}"),
        None,
    ),
    _COLUMN,
    _turned(_COLUMN, "a column is dropped"),
    _c(
        "a column is renamed",
        ("f = TextField()", "g = TextField()"),
        ("f = mapped_column(Text, nullable=False)", "g = mapped_column(Text, nullable=False)"),
        ("f = models.TextField()", "g = models.TextField()"),
    ),
    _c(
        "a column is added (NOT NULL, a default of Python's)",
        ("", "f = TextField(default='x')"),
        ("", "f = mapped_column(Text, nullable=False, default='x')"),
        ("", "f = models.TextField(default='x')"),
    ),
    _c(
        "a column is added (NOT NULL, a function for each row)",
        ("", "f = UUIDField(default=uuid4)"),
        ("", "f = mapped_column(Uuid, nullable=False, default=uuid4)"),
        ("", "f = models.UUIDField(default=uuid4)"),
    ),
    _c(
        "a column is added (NOT NULL, a server default)",
        ("", "f = IntegerField(constraints=[SQL('DEFAULT 7')])"),
        ("", "f = mapped_column(Integer, nullable=False, server_default=text('7'))"),
        ("", "f = models.IntegerField(db_default=7)"),
    ),
    _field(
        "integer to bigint",
        ("IntegerField()", "BigIntegerField()"),
        (f"mapped_column(Integer{_NULL})", f"mapped_column(BigInteger{_NULL})"),
        ("models.IntegerField()", "models.BigIntegerField()"),
    ),
    _field(
        "a longer varchar",
        ("CharField(max_length=20)", "CharField(max_length=40)"),
        (f"mapped_column(String(20){_NULL})", f"mapped_column(String(40){_NULL})"),
        ("models.CharField(max_length=20)", "models.CharField(max_length=40)"),
    ),
    _field(
        "a shorter varchar",
        ("CharField(max_length=40)", "CharField(max_length=20)"),
        (f"mapped_column(String(40){_NULL})", f"mapped_column(String(20){_NULL})"),
        ("models.CharField(max_length=40)", "models.CharField(max_length=20)"),
    ),
    _field(
        "varchar to text",
        ("CharField(max_length=40)", "TextField()"),
        (f"mapped_column(String(40){_NULL})", f"mapped_column(Text{_NULL})"),
        ("models.CharField(max_length=40)", "models.TextField()"),
    ),
    _field(
        "text to integer (needs a USING)",
        ("TextField()", "IntegerField()"),
        (f"mapped_column(Text{_NULL})", f"mapped_column(Integer{_NULL})"),
        ("models.TextField()", "models.IntegerField()"),
    ),
    _field(
        "another precision",
        ("DecimalField(10, 2)", "DecimalField(12, 4)"),
        (f"mapped_column(Numeric(10, 2){_NULL})", f"mapped_column(Numeric(12, 4){_NULL})"),
        (
            "models.DecimalField(max_digits=10, decimal_places=2)",
            "models.DecimalField(max_digits=12, decimal_places=4)",
        ),
    ),
    _field(
        "timestamp to timestamptz",
        ("DateTimeField()", "DateTimeTZField()"),
        (f"mapped_column(DateTime{_NULL})", f"mapped_column(DateTime(timezone=True){_NULL})"),
        None,
    ),
    _field(
        "text to jsonb (needs a USING)",
        ("TextField()", "BinaryJSONField(index=False)"),
        (f"mapped_column(Text{_NULL})", f"mapped_column(JSONB{_NULL})"),
        ("models.TextField()", "models.JSONField()"),
    ),
    _field(
        "the type of an array's elements",
        ("ArrayField(IntegerField, index=False)", "ArrayField(BigIntegerField, index=False)"),
        (f"mapped_column(ARRAY(Integer){_NULL})", f"mapped_column(ARRAY(BigInteger){_NULL})"),
        ("ArrayField(models.IntegerField())", "ArrayField(models.BigIntegerField())"),
    ),
    _field(
        "another collation",
        ("TextField()", "TextField(collation='C')"),
        (f"mapped_column(Text{_NULL})", f"mapped_column(Text(collation='C'){_NULL})"),
        ("models.TextField()", "models.TextField(db_collation='C')"),
    ),
    _field(
        "NULL is allowed",
        ("TextField()", "TextField(null=True)"),
        (f"mapped_column(Text{_NULL})", "mapped_column(Text)"),
        ("models.TextField()", "models.TextField(null=True)"),
    ),
    _field(
        "NULL is refused",
        ("TextField(null=True)", "TextField(default='')"),
        ("mapped_column(Text)", "mapped_column(Text, nullable=False, default='')"),
        ("models.TextField(null=True)", "models.TextField(default='')"),
    ),
    _field(
        "a server default is added",
        ("IntegerField()", "IntegerField(constraints=[SQL('DEFAULT 7')])"),
        (
            f"mapped_column(Integer{_NULL})",
            f"mapped_column(Integer{_NULL}, server_default=text('7'))",
        ),
        ("models.IntegerField()", "models.IntegerField(db_default=7)"),
    ),
    _field(
        "a server default changes",
        (
            "IntegerField(constraints=[SQL('DEFAULT 7')])",
            "IntegerField(constraints=[SQL('DEFAULT 8')])",
        ),
        (
            f"mapped_column(Integer{_NULL}, server_default=text('7'))",
            f"mapped_column(Integer{_NULL}, server_default=text('8'))",
        ),
        ("models.IntegerField(db_default=7)", "models.IntegerField(db_default=8)"),
    ),
    _field(
        "a default of Python's changes (for the next migration's rows)",
        ("IntegerField(default=7)", "IntegerField(default=8)"),
        (
            f"mapped_column(Integer{_NULL}, default=7)",
            f"mapped_column(Integer{_NULL}, default=8)",
        ),
        ("models.IntegerField(default=7)", "models.IntegerField(default=8)"),
    ),
    _field(
        "a comment of a column",
        ("TextField()", "TextField(help_text='who')"),
        (f"mapped_column(Text{_NULL})", f"mapped_column(Text{_NULL}, comment='who')"),
        ("models.TextField()", "models.TextField(db_comment='who')"),
    ),
    _added(
        "a comment of a table",
        "class Meta:\n    comment = 'all notes'",
        "__table_args__ = {'comment': 'all notes'}",
        "class Meta:\n    db_table_comment = 'all notes'",
    ),
    _c(
        "an identity column takes the place of a serial one",
        ("id = AutoField()", "id = IdentityField()"),
        ("f = mapped_column(Integer)", "f = mapped_column(Integer, Identity(), nullable=False)"),
        None,
    ),
    _added(
        "a generated column is added",
        "h = IntegerField(constraints=[SQL('GENERATED ALWAYS AS (f + 1) STORED')], null=True)",
        "h = mapped_column(Integer, Computed('f + 1', persisted=True))",
        "h = models.GeneratedField(expression=models.F('f') + 1, "
        "output_field=models.IntegerField(), db_persist=True)",
    ),
    _c(
        "the expression of a generated column changes",
        tuple(
            "f = IntegerField()\nh = IntegerField(constraints=[SQL('GENERATED ALWAYS AS "
            f"(f + {number}) STORED')], null=True)"
            for number in (1, 2)
        ),
        tuple(
            "f = mapped_column(Integer, nullable=False)\n"
            f"h = mapped_column(Integer, Computed('f + {number}', persisted=True))"
            for number in (1, 2)
        ),
        tuple(
            f"f = models.IntegerField()\nh = models.GeneratedField(expression=models.F('f') + "
            f"{number}, output_field=models.IntegerField(), db_persist=True)"
            for number in (1, 2)
        ),
    ),
    _INDEX,
    _turned(_INDEX, "an index is dropped"),
    _c(
        "an index gets another order",
        (
            "f = IntegerField()\nclass Meta:\n    indexes = (Index('i', [SQL('f')]),)",
            "f = IntegerField()\nclass Meta:\n    indexes = (Index('i', [SQL('f DESC')]),)",
        ),
        (
            "f = mapped_column(Integer, nullable=False)\n__table_args__ = (Index('i', 'f'),)",
            "f = mapped_column(Integer, nullable=False)\n"
            "__table_args__ = (Index('i', text('f DESC')),)",
        ),
        (
            "f = models.IntegerField()\nclass Meta:\n"
            "    indexes = [models.Index(fields=['f'], name='i')]",
            "f = models.IntegerField()\nclass Meta:\n"
            "    indexes = [models.Index(fields=['-f'], name='i')]",
        ),
    ),
    _c(
        "the predicate of a partial index changes",
        tuple(
            "f = IntegerField()\nclass Meta:\n"
            f"    indexes = (SQL('CREATE INDEX i ON note (f) WHERE f > {number}'),)"
            for number in (1, 2)
        ),
        tuple(
            "f = mapped_column(Integer, nullable=False)\n__table_args__ = "
            f"(Index('i', 'f', postgresql_where=text('f > {number}')),)"
            for number in (1, 2)
        ),
        tuple(
            "f = models.IntegerField()\nclass Meta:\n    indexes = "
            f"[models.Index(fields=['f'], name='i', condition=models.Q(f__gt={number}))]"
            for number in (1, 2)
        ),
    ),
    _c(
        "an index gets another method",
        tuple(
            f"f = IntegerField()\nclass Meta:\n    indexes = (SQL('CREATE INDEX i ON note {how}'),)"
            for how in ("(f)", "USING hash (f)")
        ),
        tuple(
            "f = mapped_column(Integer, nullable=False)\n__table_args__ = "
            f"(Index('i', 'f', postgresql_using='{how}'),)"
            for how in ("btree", "hash")
        ),
        tuple(
            f"f = models.IntegerField()\nclass Meta:\n    indexes = [{how}(fields=['f'], name='i')]"
            for how in ("models.Index", "HashIndex")
        ),
    ),
    _c(
        "an index includes another column",
        tuple(
            "f = IntegerField()\ng = IntegerField()\nclass Meta:\n"
            f"    indexes = (SQL('CREATE INDEX i ON note (f){how}'),)"
            for how in ("", " INCLUDE (g)")
        ),
        tuple(
            "f = mapped_column(Integer, nullable=False)\ng = mapped_column(Integer, "
            f"nullable=False)\n__table_args__ = (Index('i', 'f', postgresql_include={how}),)"
            for how in ("[]", "['g']")
        ),
        tuple(
            "f = models.IntegerField()\ng = models.IntegerField()\nclass Meta:\n"
            f"    indexes = [models.Index(fields=['f'], name='i'{how})]"
            for how in ("", ", include=['g']")
        ),
    ),
    _c(
        "an index on an expression changes",
        tuple(
            "f = TextField()\nclass Meta:\n"
            f"    indexes = (SQL('CREATE INDEX i ON note ({how}(f))'),)"
            for how in ("lower", "upper")
        ),
        tuple(
            "f = mapped_column(Text, nullable=False)\n"
            f"__table_args__ = (Index('i', text('{how}(f)')),)"
            for how in ("lower", "upper")
        ),
        tuple(
            "f = models.TextField()\nclass Meta:\n"
            f"    indexes = [models.Index({how}('f'), name='i')]"
            for how in ("Lower", "Upper")
        ),
    ),
    _UNIQUE,
    _turned(_UNIQUE, "uniqueness of two columns is dropped"),
    _field(
        "a column becomes unique",
        ("IntegerField()", "IntegerField(unique=True)"),
        (f"mapped_column(Integer{_NULL})", f"mapped_column(Integer{_NULL}, unique=True)"),
        ("models.IntegerField()", "models.IntegerField(unique=True)"),
    ),
    _CHECK,
    _turned(_CHECK, "a check is dropped"),
    _c(
        "a check changes under its name",
        tuple(
            "f = IntegerField()\nclass Meta:\n"
            f"    constraints = [SQL('CONSTRAINT positive CHECK (f > {number})')]"
            for number in (0, 1)
        ),
        tuple(
            "f = mapped_column(Integer, nullable=False)\n"
            f"__table_args__ = (CheckConstraint('f > {number}', name='positive'),)"
            for number in (0, 1)
        ),
        tuple(
            "f = models.IntegerField()\nclass Meta:\n    constraints = [models.CheckConstraint("
            f"condition=models.Q(f__gt={number}), name='positive')]"
            for number in (0, 1)
        ),
    ),
    _added(
        "an exclusion is added",
        "class Meta:\n    constraints = [SQL('CONSTRAINT one EXCLUDE USING btree (f WITH =)')]",
        "__table_args__ = (ExcludeConstraint(('f', '='), name='one', using='btree'),)",
        "class Meta:\n    constraints = [ExclusionConstraint(name='one', index_type='spgist', "
        "expressions=[('f', '=')])]",
    ),
    _LINK,
    _turned(_LINK, "a foreign key is taken off a column"),
    _linked(
        "a foreign key gets another ON DELETE",
        ("owner = ForeignKeyField(Owner)", "owner = ForeignKeyField(Owner, on_delete='CASCADE')"),
        (
            f"owner_id = {_KEY}",
            "owner_id = mapped_column(ForeignKey('owner.id', ondelete='CASCADE'), nullable=False)",
        ),
        (
            "owner = models.ForeignKey(Owner, models.PROTECT)",
            "owner = models.ForeignKey(Owner, models.CASCADE)",
        ),
    ),
    _linked(
        "a foreign key becomes deferrable",
        (
            "owner = ForeignKeyField(Owner)",
            "owner = ForeignKeyField(Owner, deferrable='INITIALLY DEFERRED')",
        ),
        (
            f"owner_id = {_KEY}",
            "owner_id = mapped_column(ForeignKey('owner.id', deferrable=True, "
            "initially='DEFERRED'), nullable=False)",
        ),
        None,
    ),
    _c(
        "the primary key becomes a bigint",
        ("id = AutoField()", "id = BigAutoField()"),
        (
            "__tablename__ = 'note'\nid = mapped_column(Integer, primary_key=True)",
            "__tablename__ = 'note'\nid = mapped_column(BigInteger, primary_key=True)",
        ),
        (
            "id = models.AutoField(primary_key=True)",
            "id = models.BigAutoField(primary_key=True)",
        ),
    ),
    _c(
        "the primary key has other columns",
        (
            "f = IntegerField()\ng = IntegerField()\nclass Meta:\n"
            "    primary_key = CompositeKey('f', 'g')",
            "f = IntegerField()\ng = IntegerField()\nclass Meta:\n"
            "    primary_key = CompositeKey('g')",
        ),
        (
            "id = None\nf = mapped_column(Integer, primary_key=True)\n"
            "g = mapped_column(Integer, primary_key=True)",
            "id = None\nf = mapped_column(Integer, nullable=False)\n"
            "g = mapped_column(Integer, primary_key=True)",
        ),
        (
            "pk = models.CompositePrimaryKey('f', 'g')\nf = models.IntegerField()\n"
            "g = models.IntegerField()",
            "pk = models.CompositePrimaryKey('g', 'f')\nf = models.IntegerField()\n"
            "g = models.IntegerField()",
        ),
    ),
    _field(
        "a value is added to an enumerated type",
        (
            "EnumField(enum.Enum('Mood', {'BAD': 'bad'}))",
            "EnumField(enum.Enum('Mood', {'BAD': 'bad', 'GOOD': 'good'}))",
        ),
        (
            f"mapped_column(Enum('bad', name='mood'){_NULL})",
            f"mapped_column(Enum('bad', 'good', name='mood'){_NULL})",
        ),
        None,
    ),
)
