"""Models that a test changes at random, and their text."""

from dataclasses import dataclass, field

from tests.migrations.changes.change import HEADER

# What each kind of column is declared as, a default, a server's default, a value for row {n}.
KINDS = {
    "small": ("SmallIntegerField", "", "1", "7", "{n}"),
    "int": ("IntegerField", "", "1", "7", "{n}"),
    "big": ("BigIntegerField", "", "1", "7", "{n}"),
    "text": ("TextField", "", "'1'", "'it''s'", "'{n}'"),
    "char": ("CharField", "max_length=10", "'1'", "'7'", "'{n}'"),
    "long": ("CharField", "max_length=20", "'1'", "'7'", "'{n}'"),
    "bool": ("BooleanField", "", "True", "true", "true"),
    "float": ("DoubleField", "", "1.5", "7.5", "{n}.5"),
    "decimal": ("DecimalField", "max_digits=9, decimal_places=2", "Decimal('1.5')", "7", "{n}.25"),
    "date": ("DateField", "", "date(2024, 2, 29)", "'2024-01-01'", "'2024-01-01'::date + {n}"),
    "moment": ("DateTimeField", "", "datetime(2024, 1, 1)", "'2024-01-01'", "'2024-01-02 03:04'"),
    "zoned": ("DateTimeTZField", "", "utcnow", "now()", "'2024-01-02 03:04+00'"),
    "uuid": ("UUIDField", "", "uuid.uuid4", "gen_random_uuid()", "gen_random_uuid()"),
    "json": ("JSONField", "", "dict", "'[]'", "'{{\"a\": {n}}}'"),
    "array": ("ArrayField", "IntegerField, index=False", "list", "'{{1}}'", "'{{{n}}}'"),
    "bytes": ("BlobField", "", "b'1'", "'x'", "'{n}'"),
    "enum": ("EnumField", "State", "State.NEW", "'new'", "'new'"),
}
TEXTS = ("text", "char", "long")
NUMBERS = ("small", "int", "big", "float", "decimal")
KEYS = {
    "serial": "AutoField()",
    "bigserial": "BigAutoField()",
    "identity": "IdentityField()",
    "always": "IdentityField(generate_always=True)",
    "name": "CharField(max_length=20, primary_key=True)",
    "uuid": "UUIDField(primary_key=True, default=uuid.uuid4)",
}
COUNTED = ("serial", "bigserial", "identity", "always")
# Which kind becomes which, and the expression that it takes.
CONVERSIONS = {
    ("small", "int"): None,
    ("int", "big"): None,
    ("big", "int"): None,
    ("int", "text"): None,
    ("big", "long"): None,
    ("char", "long"): None,
    ("long", "char"): None,
    ("char", "text"): None,
    ("text", "long"): None,
    ("int", "decimal"): None,
    ("decimal", "int"): "ceil({c})",
    ("float", "decimal"): "round({c}::numeric, 2)",
    ("date", "moment"): None,
    ("moment", "zoned"): None,
    ("zoned", "moment"): None,
    ("moment", "date"): "{c}::date",
    ("bool", "int"): None,
    ("uuid", "text"): None,
    ("int", "array"): None,
}


@dataclass
class Field:
    """A field of a model."""

    kind: str
    null: bool = False
    default: bool = False
    server: bool = False
    index: str = ""
    check: bool = False
    comment: str = ""
    collation: bool = False
    target: str = ""
    action: str = ""
    deferred: bool = False
    source: str = ""  # the column that a generated one is computed from
    filled: bool = False  # some rows may have the same value

    def declaration(self, name, column, model, models):
        """Return what stands behind `name =`."""
        parts = [f"column_name={column!r}"] if column != name else []
        said = []
        parts += ["null=True"] if self.null else []
        parts += [f"help_text={self.comment!r}"] if self.comment else []
        parts += {"": [], "index": ["index=True"], "unique": ["unique=True"]}[self.index]
        if self.target:
            return self._key(parts, model, models)
        cls, first, default, server, _ = KINDS[self.kind]
        if self.default:
            parts.append(f"default={default}")
        if self.collation and self.kind in TEXTS:
            parts.append("""collation='"C"'""")
        if self.server:
            said.append(f'SQL("DEFAULT {server.format()}")')
        if self.source:
            said.append(f"SQL('GENERATED ALWAYS AS (\"{self.source}\"::text || \\'!\\') STORED')")
        if self.check and self.kind in NUMBERS:
            said.append(f"Check('\"{column}\" > 0')")
        if self.check and self.kind in TEXTS:
            said.append(f"Check('\"{column}\" <> \\'\\'')")
        if said:
            parts.append(f"constraints=[{', '.join(said)}]")
        return f"{cls}({', '.join([*([first] if first else []), *parts])})"

    def _key(self, parts, model, models):
        order = [each.name for each in models]
        parts = [each for each in parts if not each.startswith("index")]
        parts += [f"on_delete={self.action!r}"] if self.action else []
        parts += ["deferrable='INITIALLY DEFERRED'"] if self.deferred else []
        if self.target == model.name:
            return f"ForeignKeyField('self', backref='+', {', '.join(parts)})"
        if order.index(self.target) > order.index(model.name):
            return f"DeferredForeignKey({self.target!r}, backref='+', {', '.join(parts)})"
        return f"ForeignKeyField({self.target}, backref='+', {', '.join(parts)})"


@dataclass
class RandomModel:
    """A model; fields stand by the names of their columns."""

    name: str
    app: str
    table: str
    schema: str = ""
    key: str = "serial"
    comment: str = ""
    fields: dict = field(default_factory=dict)
    indexes: dict = field(default_factory=dict)  # by the name: columns, way of writing
    constraints: dict = field(default_factory=dict)  # by the name: column, kind

    @property
    def full_name(self):
        """The name as migrations write it."""
        return f"{self.schema}.{self.table}" if self.schema else self.table

    @property
    def sql(self):
        """The name as SQL."""
        return f'"{self.schema}"."{self.table}"' if self.schema else f'"{self.table}"'

    def forget(self, column):
        """Take off all that mentions a column."""
        for parts in (self.indexes, self.constraints):
            for name in [name for name, (columns, _) in parts.items() if column in columns]:
                del parts[name]
        for name in [name for name, each in self.fields.items() if each.source == column]:
            self.drop(name)

    def drop(self, column):
        """Drop a field."""
        del self.fields[column]
        self.forget(column)

    def rename(self, old, new):
        """Rename a column everywhere."""
        self.fields = {new if name == old else name: each for name, each in self.fields.items()}
        for each in self.fields.values():
            each.source = new if each.source == old else each.source
        for parts in (self.indexes, self.constraints):
            for name, (columns, how) in parts.items():
                parts[name] = (tuple(new if c == old else c for c in columns), how)

    def text(self, models):
        """Return the class."""
        lines = [f"class {self.name}(Model):", f"    id = {KEYS[self.key]}"]
        for column, each in self.fields.items():
            name = column.removesuffix("_id").replace(" ", "_")
            shown = name if each.target and column.endswith("_id") else column
            said = name if each.target else column
            lines.append(f"    {name} = {each.declaration(name, said, self, models)}")
            assert shown
        lines += ["", "    class Meta:", f"        table_name = {self.table!r}"]
        lines += [f"        schema = {self.schema!r}"] if self.schema else []
        lines += [f"        comment = {self.comment!r}"] if self.comment else []
        indexes = [self._index(*each) for each in self.indexes.items()]
        lines += [f"        indexes = ({', '.join(indexes)},)"] if indexes else []
        found = [self._constraint(*each) for each in self.constraints.items()]
        lines += [f"        constraints = [{', '.join(found)}]"] if found else []
        return "\n".join(lines) + "\n"

    def _index(self, name, part):
        columns, how = part
        quoted = [f'"{each}"' for each in columns]
        unique, listed, rest = "", ", ".join(quoted), ""
        match how:
            case "desc":
                listed = f"{quoted[0]} DESC NULLS LAST"
            case "where":
                rest = f" WHERE {quoted[0]} IS NOT NULL"
            case "include":
                rest = ' INCLUDE ("id")'
            case "unique":
                unique, listed = "UNIQUE ", f'"id", {listed}'
            case "hash":
                return f"SQL('CREATE INDEX {name} ON {self.sql} USING hash ({quoted[0]})')"
        return f"SQL('CREATE {unique}INDEX {name} ON {self.sql} ({listed}){rest}')"

    def _constraint(self, name, part):
        (column,), how = part
        text = {
            "check": f'CHECK ("{column}" IS NULL OR "id" IS NOT NULL)',
            "other": f'CHECK ("id" IS NOT NULL OR "{column}" IS NULL)',
            "unique": f'UNIQUE ("{column}", "id")',
            "deferrable": f'UNIQUE ("{column}", "id") DEFERRABLE',
        }[how]
        named = f"CONSTRAINT {name} " if not name.startswith("unnamed") else ""
        return f"SQL('{named}{text}')"


def module(app, models, values):
    """Return the text of the models of an app, which has an enum of *values*."""
    lines = [f"    {value.upper()} = {value!r}\n" for value in values]
    text = HEADER.format(app=app) + "class State(enum.Enum):\n" + "".join(lines)
    if app != "shop":
        own = [each.name for each in models if each.app == "shop"]
        text = HEADER.format(app=app)
        text += f"from market.shop.models import State, {', '.join(own)}\n" if own else ""
    for each in models:
        if each.app == app:
            text += "\n\n" + each.text(models)
    return text
