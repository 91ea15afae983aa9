"""Models that change at random: each time the migrated schema is the one that peewee makes."""

import copy

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.migrations.changes.random_models import (
    CONVERSIONS,
    COUNTED,
    KEYS,
    KINDS,
    NUMBERS,
    TEXTS,
    Field,
    RandomModel,
    module,
)
from tests.migrations.snapshot import compare_snapshots

COLUMNS = ("age", "user", "name", "größe", "camelCase", "order", "a_name_of_some_length_" * 2)
TABLES = ("notes", "user", "Order", "größen", "a_table_with_a_name_of_some_length_indeed")
SCHEMAS = ("", "", "depot", "Shop")
VALUES = ("new", "old", "gone", "used", "it's", "50%")
ACTIONS = ("", "CASCADE", "SET NULL", "RESTRICT")
INDEXES = ("plain", "desc", "where", "include", "unique", "hash")
CONSTRAINTS = ("check", "other", "unique", "deferrable")
counts = {"examples": 0, "steps": 0, "migrations": 0, "ways back": 0}
bench = None  # set by the test

picks = st.integers(0, 10**6)


class ModelMachine(RuleBasedStateMachine):
    """Two apps whose models are changed, one step after the other."""

    @initialize(
        kinds=st.lists(st.sampled_from(sorted(KINDS)), min_size=6, max_size=6),
        keys=st.lists(st.sampled_from(sorted(KEYS)), min_size=2, max_size=2),
        n=picks,
    )
    def begin(self, kinds, keys, n):
        """Begin with two models that have rows."""
        bench.clear(("shop", "press"))
        counts["examples"] += 1
        if counts["examples"] % 10 == 0:
            print(counts, flush=True)
        self.models, self.values, self.number = [], ["new", "old"], 0
        self.settled = []
        self.options, self.touched, self.one_way = [], set(), False
        for place, app in enumerate(("shop", "press")):
            model = RandomModel(
                f"Model{place}", app, TABLES[(n + place) % len(TABLES)], SCHEMAS[n % 4], keys[place]
            )
            for name, kind in zip(COLUMNS[place * 3 :], kinds[place * 3 :][:3], strict=False):
                if kind != "enum" or app == "shop":
                    model.fields[name] = Field(kind, null=(n + len(name)) % 3 == 0)
            self.models.append(model)
            self.add_parts(model, n)
        self.settle()
        self.add_rows(2)

    def add_parts(self, model, n):
        """Give a model an index, a constraint and a foreign key, which later steps may alter."""
        column = self.a_column(model, n, lambda each: each.kind not in ("json", "array"))
        if column and n % 2:
            model.indexes[f"ix_{self.fresh_number()}"] = ((column,), INDEXES[n % len(INDEXES)])
        if column and n % 3:
            rule = CONSTRAINTS[n % len(CONSTRAINTS)]
            model.constraints[f"rule_{self.fresh_number()}"] = ((column,), rule)
        if n % 5 < 3:
            action, target = ACTIONS[n % len(ACTIONS)], self.models[0].name
            model.fields["owner_id"] = Field("key", True, target=target, action=action)

    def teardown(self):
        """Settle what waits."""
        if hasattr(self, "models") and self.waits:
            self.settle()

    # What is drawn is taken modulo what there is, so that examples shrink well.
    def pick(self, things, n):
        things = list(things)
        return things[n % len(things)] if things else None

    def a_model(self, n, test=lambda model: True):
        return self.pick([each for each in self.models if test(each)], n)

    def a_column(self, model, n, test=lambda each: True):
        return self.pick([name for name, each in model.fields.items() if test(each)], n)

    def was(self, model):
        return next((each for each in self.settled if each.name == model.name), None)

    def fresh_number(self):
        self.number += 1
        return self.number

    def has(self, test):
        """Say whether there is a model that passes *test*; a step that finds none is no step."""
        return any(map(test, self.models))

    def has_rows(self, model):
        was = self.was(model)
        return was is not None and bench.query(f"SELECT EXISTS (TABLE {was.sql})")[0][0]

    @rule(
        n=picks,
        table=st.sampled_from(TABLES),
        schema=st.sampled_from(SCHEMAS),
        key=st.sampled_from(sorted(KEYS)),
        app=st.sampled_from(["shop", "shop", "press"]),
        kinds=st.lists(st.sampled_from(sorted(KINDS)), max_size=3),
        wait=st.booleans(),
    )
    def add_model(self, n, table, schema, key, app, kinds, wait):
        if any(each.table == table and each.schema == schema for each in self.models):
            return
        if len(self.models) >= 5:
            return
        model = RandomModel(f"Model{self.fresh_number()}", app, table, schema, key)
        for name, kind in zip(COLUMNS, kinds, strict=False):
            if kind != "enum" or app == "shop":
                indexed = n % 3 == 0 and kind not in ("json", "array")
                model.fields[name] = Field(kind, null=n % 2 == 0, index="index" * indexed)
        place = (
            sum(each.app == "shop" for each in self.models) if app == "shop" else len(self.models)
        )
        self.models.insert(place, model)
        if app == "shop" or not wait:
            self.settle(wait)
        else:
            self.settle()

    @rule(n=picks)
    @precondition(lambda self: len(self.models) > 1)
    def drop_model(self, n):
        model = self.a_model(n, lambda each: self.was(each) is not None)
        if model is None:
            return
        self.models.remove(model)
        for other in self.models:
            for column in [c for c, each in other.fields.items() if each.target == model.name]:
                if self.was(other) and column in self.was(other).fields:
                    self.options += ["--drop", f"{other.full_name}.{column}"]
                other.drop(column)
        self.options += ["--drop", model.full_name]
        self.settle()

    @rule(n=picks, table=st.sampled_from(TABLES), schema=st.sampled_from(SCHEMAS))
    def rename_model(self, n, table, schema):
        model = self.a_model(n, lambda each: self.was(each) is not None)
        if model is None or any(e.table == table and e.schema == schema for e in self.models):
            return
        old = model.full_name
        model.table, model.schema = table, schema
        if any(each.full_name == model.full_name for each in self.settled):
            model.table, model.schema = self.was(model).table, self.was(model).schema
            return
        self.options += ["--rename", f"{old}:{model.full_name}"]
        self.settle()

    @rule(
        n=picks,
        name=st.sampled_from(COLUMNS),
        kind=st.sampled_from(sorted(KINDS)),
        null=st.booleans(),
        default=st.sampled_from(["client", "server", "fill"]),
        index=st.sampled_from(["", "", "index", "unique"]),
        check=st.booleans(),
        collation=st.booleans(),
        wait=st.booleans(),
    )
    def add_field(self, n, name, kind, null, default, index, check, collation, wait):
        model = self.a_model(n, lambda each: name not in each.fields)
        if model is None or (kind == "enum" and model.app != "shop"):
            return
        if self.was(model) and name in self.was(model).fields:
            return
        made = Field(kind, null, index=index, check=check, collation=collation)
        made.default = default == "client" and index != "unique"
        made.server = default == "server" and index != "unique"
        made.filled = made.default or made.server
        if index == "unique":
            made.null = True
        if kind in ("json", "array"):
            made.index = ""
        model.fields[name] = made
        if not (made.null or made.default or made.server) and self.was(model):
            value = KINDS[kind][4].format(n=1)
            self.options += ["--fill", f"{model.full_name}.{name}={value}"]
            made.filled, wait = True, False
        self.settle(wait)

    @rule(n=picks, m=picks, name=st.sampled_from(["low", "sum"]), index=st.booleans())
    def add_generated(self, n, m, name, index):
        plain = ("text", "char", "long", "int", "big", "small")
        model = self.a_model(n, lambda each: name not in each.fields)
        if model is None or (self.was(model) and name in self.was(model).fields):
            return
        source = self.a_column(
            model, m, lambda each: each.kind in plain and not (each.source or each.target)
        )
        if source is not None:
            model.fields[name] = Field(
                "text", null=True, source=source, index="index" if index else "", filled=True
            )
            self.settle()

    @rule(n=picks, m=picks)
    def drop_field(self, n, m):
        model = self.a_model(n, lambda each: each.fields)
        if model is None:
            return
        before = set(model.fields)
        column = self.a_column(model, m)
        gone = model.fields[column]
        model.drop(column)
        rows = self.has_rows(model)
        for name in sorted(before - set(model.fields)):
            if self.was(model) and name in self.was(model).fields:
                self.options += ["--drop", f"{model.full_name}.{name}"]
        comes_back = gone.null or gone.server or gone.default
        if rows and (not comes_back or gone.index == "unique"):
            self.one_way = True
        self.settle()

    @rule(n=picks, m=picks, name=st.sampled_from(COLUMNS))
    def rename_field(self, n, m, name):
        model = self.a_model(n, lambda each: self.was(each) and name not in each.fields)
        if model is None or name in self.was(model).fields:
            return
        known = self.was(model).fields
        column = self.a_column(model, m, lambda each: not each.target)
        if column is None or column not in known or column in ("low", "sum"):
            return
        model.rename(column, name)
        self.options += ["--rename", f"{model.full_name}.{column}:{name}"]
        self.touched |= {(model.name, column), (model.name, name)}
        self.settle()

    @rule(n=picks, m=picks, k=picks)
    def retype_field(self, n, m, k):
        def may(each):
            return each.index != "unique" and not (each.target or each.source or each.check)

        model = self.a_model(n, lambda each: self.was(each) and any(map(may, each.fields.values())))
        if model is None:
            return
        column = self.a_column(model, m, may)
        made = model.fields[column]
        if column not in self.was(model).fields or made.server or made.default:
            return
        if self.was(model).fields[column] != made:
            return
        new = self.pick([two for one, two in CONVERSIONS if one == made.kind], k)
        if new is None or (new == "array" and (made.index or self.mentioned(model, column))):
            return
        if new not in TEXTS + NUMBERS and any(e.source == column for e in model.fields.values()):
            return
        if new in ("char", "long") and self.longest(model, column) > {"char": 10, "long": 20}[new]:
            return
        using = CONVERSIONS[made.kind, new]
        if using:
            quoted = f'"{column}"'
            self.options += ["--using", f"{model.full_name}.{column}={using.format(c=quoted)}"]
        made.kind = new
        made.filled = True
        self.touched |= {(model.name, column)}
        self.touched |= {(model.name, c) for c, e in model.fields.items() if e.source == column}
        self.settle()

    def longest(self, model, column):
        """Return the length of the longest value of a column, which a shorter type refuses."""
        longest = f'SELECT coalesce(max(length("{column}"::text)), 0) FROM {self.was(model).sql}'
        return bench.query(longest)[0][0]

    def mentioned(self, model, column):
        parts = [*model.indexes.values(), *model.constraints.values()]
        return any(column in columns for columns, _ in parts)

    @rule(
        n=picks,
        m=picks,
        what=st.sampled_from(
            ["null", "default", "server", "index", "check", "comment", "collation", "unique"]
        ),
        wait=st.booleans(),
    )
    def alter_field(self, n, m, what, wait):
        model = self.a_model(n, lambda each: each.fields)
        column = model and self.a_column(model, m, lambda each: not (each.target or each.source))
        if not column:
            return
        made = model.fields[column]
        match what:
            case "null" if made.index != "unique":
                if made.null:
                    made.default = made.default or not made.server
                    made.filled = True
                    self.touched.add((model.name, column))
                made.null = not made.null
            case "default" if made.index != "unique" and (made.null or made.server):
                made.default = not made.default
            case "server" if made.index != "unique" and (made.null or made.default):
                made.server = not made.server
            case "index" if made.index != "unique" and made.kind not in ("json", "array"):
                made.index = "" if made.index else "index"
            case "unique" if made.kind not in ("json", "array", "bool", "enum", "moment", "zoned"):
                if made.index == "unique":
                    made.index = ""
                elif made.null and not (made.filled or made.default or made.server):
                    made.index = "unique"
            case "check":
                made.check = not made.check
            case "comment":
                made.comment = "" if made.comment else "50% of it's \\ all"
            case "collation":
                made.collation = not made.collation
        self.settle(wait)

    @rule(
        n=picks,
        m=picks,
        name=st.sampled_from(["place_id", "owner_id"]),
        action=st.sampled_from(ACTIONS),
        deferred=st.booleans(),
        index=st.sampled_from(["", "unique"]),
    )
    def add_key(self, n, m, name, action, deferred, index):
        model = self.a_model(n, lambda each: name not in each.fields)
        if model is None or (self.was(model) and name in self.was(model).fields):
            return
        apps = ("shop",) if model.app == "shop" else ("shop", "press")
        target = self.a_model(m, lambda each: each.app in apps)
        model.fields[name] = Field(
            "key", True, index=index, target=target.name, action=action, deferred=deferred
        )
        self.settle()

    @rule(n=picks, action=st.sampled_from(ACTIONS), deferred=st.booleans(), wait=st.booleans())
    @precondition(
        lambda self: self.has(lambda model: [e for e in model.fields.values() if e.target])
    )
    def alter_key(self, n, action, deferred, wait):
        keys = [each for model in self.models for each in model.fields.values() if each.target]
        key = self.pick(keys, n)
        if key is not None:
            key.action, key.deferred = action, deferred
            self.settle(wait)

    @rule(n=picks, key=st.sampled_from(COUNTED))
    def alter_primary_key(self, n, key):
        model = self.a_model(n, lambda each: each.key in COUNTED)
        if model is None:
            return
        big = key == "bigserial"
        if big != (model.key == "bigserial"):
            self.touched |= {
                (each.name, name)
                for each in self.models
                for name, made in each.fields.items()
                if made.target == model.name
            }
        model.key = key
        self.settle()

    @rule(
        n=picks,
        m=picks,
        how=st.sampled_from(INDEXES),
        wait=st.booleans(),
    )
    def add_index(self, n, m, how, wait):
        model = self.a_model(n, lambda each: each.fields)
        if model is None:
            return
        column = self.a_column(model, m, lambda each: each.kind not in ("json", "array"))
        if column is not None:
            model.indexes[f"ix_{self.fresh_number()}"] = ((column,), how)
            self.settle(wait)

    @rule(n=picks, m=picks, how=st.sampled_from(["drop", *INDEXES]), wait=st.booleans())
    @precondition(lambda self: self.has(lambda model: model.indexes))
    def alter_index(self, n, m, how, wait):
        self.alter_part(lambda model: model.indexes, n, m, how, wait)

    @rule(
        n=picks,
        m=picks,
        how=st.sampled_from(CONSTRAINTS),
        named=st.booleans(),
        wait=st.booleans(),
    )
    def add_constraint(self, n, m, how, named, wait):
        model = self.a_model(n, lambda each: each.fields)
        if model is None:
            return
        column = self.a_column(model, m, lambda each: each.kind not in ("json", "array"))
        if column is not None:
            name = f"{'rule' if named else 'unnamed'}_{self.fresh_number()}"
            model.constraints[name] = ((column,), how)
            self.settle(wait)

    @rule(n=picks, m=picks, how=st.sampled_from(["drop", *CONSTRAINTS]), wait=st.booleans())
    @precondition(lambda self: self.has(lambda model: model.constraints))
    def alter_constraint(self, n, m, how, wait):
        self.alter_part(lambda model: model.constraints, n, m, how, wait)

    def alter_part(self, parts_of, n, m, how, wait):
        """Drop an index or a constraint of a model, or make it another of the same columns."""
        model = self.a_model(n, parts_of)
        if model is None:
            return
        parts = parts_of(model)
        name = self.pick(parts, m)
        columns, _ = parts.pop(name)
        if how != "drop":
            parts[name] = (columns, how)
        self.settle(wait)

    @rule(n=picks, place=picks)
    def add_value(self, n, place):
        value = self.pick([each for each in VALUES[:4] if each not in self.values], n)
        if value is not None:
            self.values.insert(place % (len(self.values) + 1), value)
            self.settle()

    @rule(n=picks, comment=st.sampled_from(["", "all of it's", "50%"]), wait=st.booleans())
    def comment_model(self, n, comment, wait):
        model = self.a_model(n)
        if model is not None:
            model.comment = comment
            self.settle(wait)

    @rule(count=st.integers(1, 3))
    @precondition(lambda self: not self.filled)
    def add_rows(self, count):
        """Put rows into all tables as they stand."""
        self.filled = True
        for model in self.settled:
            for _ in range(count):
                n = self.fresh_number()
                given = {
                    c: each for c, each in model.fields.items() if not (each.target or each.source)
                }
                values = {c: KINDS[each.kind][4].format(n=n) for c, each in given.items()}
                if model.key in ("name", "uuid"):
                    values["id"] = "gen_random_uuid()" if model.key == "uuid" else f"'{n}'"
                names = ", ".join(f'"{each}"' for each in values)
                said = f"({names}) VALUES ({', '.join(values.values())})"
                bench.connection.execute(
                    f"INSERT INTO {model.sql} {said if values else 'DEFAULT VALUES'}"
                )
            for column, key in model.fields.items():
                if key.target and key.index != "unique":
                    target = next(each for each in self.settled if each.name == key.target)
                    bench.connection.execute(
                        f'UPDATE {model.sql} SET "{column}" = (SELECT id FROM {target.sql} LIMIT 1)'
                    )

    def dump(self):
        """Return the rows of each model, by the model."""
        return {
            model.name: [
                row
                for (row,) in bench.query(f"SELECT to_jsonb(t) FROM {model.sql} AS t ORDER BY id")
            ]
            for model in self.settled
        }

    def settle(self, wait=False):
        """Migrate, and compare."""
        self.waits = wait
        if wait:
            return
        counts["steps"] += 1
        files, schema, rows = bench.files(), bench.snapshot(comments=True), self.dump()
        bench.write({app: module(app, self.models, self.values) for app in ("shop", "press")})
        code, said = bench.make(*self.options, "--no-input")
        assert not code, f"{said}\n{self.texts()}"
        made = bench.files()
        if made != files:
            counts["migrations"] += 1
            self.migrate()
        self.settled, self.filled = copy.deepcopy(self.models), False
        wanted = bench.made_snapshot()
        self.compare(wanted, rows)
        faults = bench.written_faults(files)
        assert not faults, "\n".join(faults)
        if made != files and not self.one_way:
            counts["ways back"] += 1
            self.go_back(files, schema, wanted)
        self.options, self.touched, self.one_way = [], set(), False

    def migrate(self):
        try:
            bench.migrate()
        except Exception as exc:
            raise AssertionError(f"{exc}\n{self.texts()}") from exc

    def go_back(self, files, schema, wanted):
        try:
            bench.back(files)
        except Exception as exc:
            raise AssertionError(f"on the way back: {exc}\n{self.texts()}") from exc
        found = compare_snapshots(schema, bench.snapshot(comments=True))
        assert not found, "after the way back: " + "\n".join([*found, self.texts()])
        self.migrate()
        self.compare(wanted, {})

    def compare(self, wanted, rows):
        found = compare_snapshots(wanted, bench.snapshot())
        assert not found, "\n".join([*found, self.texts()])
        green, said = bench.check()
        assert green, f"{said}\n{self.texts()}"
        now = self.dump()
        for name, before in rows.items():
            if name not in now:
                continue
            assert len(now[name]) == len(before), (name, before, now[name])
            for one, two in zip(before, now[name], strict=True):
                for column in one.keys() & two.keys():
                    if (name, column) not in self.touched:
                        assert one[column] == two[column], (name, column, one, two)

    def texts(self):
        """Return the options, the models and the last files, for whom reads of a fault."""
        root = bench.project.root / "market"
        paths = [
            path
            for app in ("shop", "press")
            for path in [
                root / app / "models.py",
                *sorted((root / app / "migrations").glob("0*.py"))[-1:],
            ]
        ]
        return "\n".join(
            [repr(self.options), *(path.read_text() for path in paths if path.exists())]
        )
