"""The course that each change runs: there, back, and there again, with a look at every station."""

from dataclasses import dataclass, fields

from tests.migrations.snapshot import compare_snapshots


@dataclass
class Outcome:
    """What was found at each station; `None` where it was not reached."""

    written: bool | None = None
    applied: bool | None = None
    schema_equal: bool | None = None
    rows_kept: bool | None = None
    back: bool | None = None
    forward: bool | None = None
    check_red_before: bool | None = None
    check_green_after: bool | None = None
    fault: str = ""

    @property
    def marks(self):
        """What was found, in the order of the columns of the table."""
        return [getattr(self, each.name) for each in fields(self)[:-1]]


class Stop(Exception):
    """Something was found to be wrong."""


def run(bench, change):
    """Run *change* to its end, or to the first fault."""
    outcome = Outcome()
    try:
        _Course(bench, change, outcome).run()
    except Stop as stop:
        outcome.fault = str(stop)
    except Exception as exc:
        outcome.fault = f"{type(exc).__name__}: {exc}"
    return outcome


class _Course:
    def __init__(self, bench, change, outcome):
        self.bench, self.change, self.outcome = bench, change, outcome
        self.by_hand_after = change.by_hand_after or change.by_hand

    def run(self):
        bench, change = self.bench, self.change
        bench.clear(change.apps, change.tenant)
        self._begin()
        rows, self.files = bench.rows(), bench.files()
        schema = bench.snapshot(comments=True)

        bench.write(change.texts("after"))
        self._check(False)
        self._write()
        self._forward("applied")
        made = bench.made_snapshot(self.by_hand_after)
        self.note("schema_equal", self._differences(made))
        self.note("rows_kept", self._wrong_rows(change.kept))
        self._check(True)

        if not self._back():
            return
        after = bench.snapshot(comments=True)
        if change.back_fails is None:
            found = compare_snapshots(schema, after)
            self.note("back", found or self._returned(rows))
        bench.write(change.texts("after"))
        self._forward("forward")
        found = self._differences(made)
        self.note("forward", found or self._wrong_rows(change.again or change.kept))
        self._check(True)

    def _begin(self):
        """Migrate the models before, and put the rows in."""
        bench, change = self.bench, self.change
        bench.write(change.texts("before"))
        code, said = bench.make()
        if code:
            raise Stop(f"the models before cannot be migrated: {said}")
        bench.migrate()
        found = self._differences(bench.made_snapshot())
        if found:
            raise Stop("the models before are made otherwise: " + "\n".join(found))
        for statement in (change.rows, change.by_hand):
            if statement:
                bench.connection.execute(statement)

    def _write(self):
        bench, change = self.bench, self.change
        if change.refusal is not None:
            code, said = bench.make()
            if not code or change.refusal not in said:
                raise Stop(f"without an answer makemigrations says {said!r}")
        code, said = bench.make(*change.options)
        self.note("written", [said] if code else bench.written_faults())

    def _forward(self, mark):
        try:
            self.bench.migrate()
        except Exception as exc:
            self.note(mark, [f"{type(exc).__name__}: {exc}"])
        if mark == "applied":
            self.outcome.applied = True

    def _back(self):
        """Take it back; say whether the course goes on."""
        bench, change = self.bench, self.change
        try:
            bench.back(self.files)
        except Exception as exc:
            if change.back_fails is None or change.back_fails not in str(exc):
                self.note("back", [f"{type(exc).__name__}: {exc}"])
            self.outcome.back = self.outcome.forward = True
            return False
        if change.back_fails is not None:
            self.note("back", ["it was taken back"])
        bench.write(change.texts("before"))
        return True

    def _returned(self, rows):
        if self.change.returned is not None:
            return self._wrong_rows(self.change.returned)
        now = self.bench.rows()
        return [] if now == rows else [f"rows were {rows!r}, and are {now!r}"]

    def _wrong_rows(self, expected):
        if expected is None:
            return []
        statement, rows = expected
        found = self.bench.query(statement)
        return [] if found == rows else [f"{statement} finds {found!r}, not {rows!r}"]

    def _differences(self, made):
        return compare_snapshots(made, self.bench.snapshot())

    def _check(self, green):
        """Look whether `--check` is green."""
        name = "check_green_after" if green else "check_red_before"
        found, said = self.bench.check()
        self.note(name, [] if found is green else [f"--check says {said!r}"])

    def note(self, name, faults):
        """Note what was found at a station, and stop where it is wrong."""
        setattr(self.outcome, name, not faults)
        if faults:
            raise Stop(f"{name}: " + "\n".join(faults))
