"""The plan of a run: the migrations to apply, or to take back. Runs at start-up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.files import app_label
from msframework.migrations.record import Progress
from msframework.migrations.step import MigrationStep, find_step, known_steps, label

Applied = Collection[tuple[str, str]]
ZERO = "zero"


@dataclass(frozen=True, slots=True)
class Goal:
    """The goal of a run: everything, one app, or one migration of it.

    Args:
        app: the app's label; `None` for all.
        step: the migration to end at.
        zero: take all of the app's migrations back.
    """

    app: str | None
    step: MigrationStep | None
    zero: bool

    def backwards(self, applied: Applied) -> bool:
        """Say whether migrations are taken back to reach it."""
        return self.zero or (self.step is not None and (self.step.app, self.step.name) in applied)


def target_of(
    steps: Sequence[MigrationStep], apps: Sequence[str], app: str | None, target: str | None
) -> Goal:
    """Return the goal that *app* and *target* of the command line mean.

    Raises:
        ImproperlyConfigured: there is no such app, or no such migration in it.
    """
    if app is None:
        if target is not None:
            raise ImproperlyConfigured(
                "A target needs the app that it belongs to: `manage.py migrate APP TARGET`."
            )
        return Goal(None, None, False)
    labels = {app_label(each) for each in apps}
    name = app_label(app)
    if name not in labels:
        raise ImproperlyConfigured(
            f"There is no app {app!r}; INSTALLED_APPS has {', '.join(sorted(labels)) or 'none'}."
        )
    if target is None or target == ZERO:
        return Goal(name, None, target == ZERO)
    own = {label(step): step for step in steps if step.app == name}
    found = find_step(own, f"{name}.{target}")
    if found is None:
        raise ImproperlyConfigured(
            _unknown_target(name, target, [step.name for step in own.values()])
            + _squashed(own.values())
        )
    return Goal(name, found, False)


def _unknown_target(app: str, target: str, names: Sequence[str]) -> str:
    several = [each for each in names if each.startswith(target)]
    if several:
        return (
            f"{app} has {len(several)} migrations whose names begin with {target!r}: "
            f"{', '.join(several)}. Give more of the name."
        )
    return f"{app} has no migration {target!r}; it has {', '.join(names) or 'none'}."


def _squashed(steps: Iterable[MigrationStep]) -> str:
    """Return a sentence on those that stand for others, if there are any."""
    made = [f"{each.name} stands for {', '.join(each.replaces)}" for each in steps if each.replaces]
    return f" {'; '.join(made)}." if made else ""


def settle_squashed(steps: Sequence[MigrationStep], applied: Applied) -> list[MigrationStep]:
    """Return *steps* with either a squashed one or those that it replaces, or it after them.

    If none of the replaced steps is applied, or the squashed one is, it alone is kept. If some are
    applied, the others come first, and it is recorded after them.

    Raises:
        ImproperlyConfigured: some are applied, and the files of the others are gone.
    """
    names = {f"{app}.{name}" for app, name in applied}
    settled = list(steps)
    problems = []
    for step in steps:
        done = [each for each in step.replaces if each in names]
        if not step.replaces:
            continue
        replaced = [each for each in settled if label(each) in step.replaces]
        if not done or label(step) in names:
            settled = [each for each in settled if each not in replaced]
            continue
        there = names | {label(each) for each in replaced}
        missing = [each for each in step.replaces if each not in there]
        if missing:
            problems.append(
                f"{label(step)} replaces {', '.join(step.replaces)}, of which {', '.join(done)} "
                f"are applied, and the files of {', '.join(missing)} are gone. Restore "
                "those files, run `manage.py migrate`, and delete them again."
            )
        elif replaced:
            settled.remove(step)
            settled.insert(settled.index(replaced[-1]) + 1, step)
    if problems:
        raise ImproperlyConfigured.of(problems)
    return settled


def check_unfinished(
    unfinished: Collection[Progress], affected: Collection[str], backwards: bool
) -> None:
    """Refuse to leave a migration that is half done, or to turn back within it.

    Args:
        affected: the labels of the migrations that are not applied at the end of a way back.

    Raises:
        ImproperlyConfigured: a migration was interrupted, and this run goes the other way.
    """
    problems = []
    for each in unfinished:
        name = f"{each.app}.{each.name}"
        if each.backwards is backwards:
            continue
        if each.backwards:
            problems.append(
                f"{name} is taken back in part ({each.done} phases). Finish that first: "
                f"`manage.py migrate {each.app} …` with the migration before it, or zero."
            )
        elif name in affected:
            problems.append(
                f"{name} is applied in part ({each.done} phases), and can be taken back only as a "
                f"whole. Go forward first: `manage.py migrate {each.app} {each.name}`. If that "
                "cannot succeed, undo those phases by hand, and run it with --fake; then go back, "
                "with --fake too."
            )
    if problems:
        raise ImproperlyConfigured.of(problems)


def plan_forward(
    steps: Sequence[MigrationStep], goal: Goal, applied: Applied
) -> list[MigrationStep]:
    """Return the steps to apply, in order: those of the goal and their dependencies."""
    if goal.app is None:
        wanted = {label(step) for step in steps}
    else:
        known = known_steps(steps)
        own = [step for step in steps if step.app == goal.app]
        if goal.step is not None:
            own = own[: own.index(goal.step) + 1]
        wanted = set()
        left = list(own)
        while left:
            step = left.pop()
            if label(step) not in wanted:
                wanted.add(label(step))
                left += [each for name in step.depends if (each := find_step(known, name))]
    return [s for s in steps if label(s) in wanted and (s.app, s.name) not in applied]


def affected_by(steps: Sequence[MigrationStep], goal: Goal) -> frozenset[str]:
    """Return the labels of the steps behind *goal*, and of those that depend on them."""
    own = [step for step in steps if step.app == goal.app]
    later = own if goal.step is None else own[own.index(goal.step) + 1 :]
    known = known_steps(steps)
    undone = {label(step) for step in later}
    for step in steps:  # sorted, so the steps that depend on one come after it
        if any(find_step(known, name) is each for name in step.depends for each in later):
            undone.add(label(step))
            later = [*later, step]
    return frozenset(undone)


def plan_back(
    steps: Sequence[MigrationStep], goal: Goal, applied: Applied, fake: bool
) -> list[MigrationStep]:
    """Return the steps to take back, last first: those after the goal, and their dependents.

    Raises:
        ImproperlyConfigured: one of them cannot be taken back.
    """
    undone = affected_by(steps, goal)
    todo = [s for s in reversed(steps) if label(s) in undone and (s.app, s.name) in applied]
    stuck = [
        f"{label(each)} cannot be taken back: {each.obstacle}"
        for each in todo
        if each.obstacle is not None
    ]
    if stuck and not fake:
        raise ImproperlyConfigured.of([f"{text}." for text in stuck])
    return todo
