"""What a query costs: rendered by peewee, and found by its shape.

    python -m benchmarks.shapes

Prints microseconds a query, the least of seven runs; `read` is the part that reads the shape.
"""

from collections.abc import Callable
from timeit import Timer
from typing import Any

from msframework.models import CharField, IntegerField, Model
from msframework.models.shape import read_shape
from msframework.models.sql import Renderer, _write


class User(Model):
    """A table."""

    name = CharField()
    age = IntegerField()
    city_id = IntegerField()

    class Meta:
        table_name = "users"


QUERIES: dict[str, Any] = {
    "select": User.select().where(User.id == 5),
    "page": User.select().where(User.age > 5).order_by(User.id).limit(20).offset(40),
    "insert": User.insert(name="a", age=1, city_id=2).returning(User.id),
    "update": User.update(name="a", age=1).where(User.id == 5),
}


def least(run: Callable[[Any], Any], query: Any) -> float:
    """Return the microseconds of one *run* with *query*."""
    timer = Timer(lambda: run(query))
    number, _ = timer.autorange()
    return min(timer.repeat(7, number)) / number * 1e6


def main() -> None:
    """Measure each query."""
    print(f"{'query':8}{'peewee':>8}{'shape':>8}{'read':>8}")
    for name, query in QUERIES.items():
        times = [least(run, query) for run in (_write, Renderer().render, read_shape)]
        print(f"{name:8}" + "".join(f"{time:8.1f}" for time in times))


if __name__ == "__main__":
    main()
