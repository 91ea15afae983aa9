"""Posts, their owners, and the cities of these: tables whose rows refer to others, or to none."""

import random

from msframework import FilterSet
from msframework.models import CharField, ForeignKeyField, IntegerField, Model, TextField

TABLES = """
CREATE TABLE countries (id serial PRIMARY KEY, name text COLLATE "C" NOT NULL);
CREATE TABLE cities (
    id serial PRIMARY KEY, name text COLLATE "C" NOT NULL, country_id int REFERENCES countries
);
CREATE TABLE people (
    id serial PRIMARY KEY, full_name varchar(20) COLLATE "C" NOT NULL, email text, age int,
    team int NOT NULL, city_id int REFERENCES cities, password text
);
CREATE TABLE posts (
    id serial PRIMARY KEY, title text COLLATE "C" NOT NULL, owner_id int REFERENCES people,
    reviewer_id int REFERENCES people, parent_id int REFERENCES posts
);
"""


class Country(Model):
    name = TextField()

    class Meta:
        table_name = "countries"


class City(Model):
    name = TextField()
    country = ForeignKeyField(Country, null=True)

    class Meta:
        table_name = "cities"


class Person(Model):
    full_name = CharField(max_length=20)
    email = TextField(null=True, help_text="Where to write to.")
    age = IntegerField(null=True)
    team = IntegerField()
    city = ForeignKeyField(City, null=True)
    password = TextField(null=True)

    class Meta:
        table_name = "people"


class Post(Model):
    title = TextField()
    owner = ForeignKeyField(Person, null=True, backref="posts")
    reviewer = ForeignKeyField(Person, null=True, backref="reviewed")
    parent = ForeignKeyField("self", null=True, backref="answers")

    class Meta:
        table_name = "posts"


class PostFilters(FilterSet):
    model = Post
    filters = {  # noqa: RUF012
        "title": ("eq", "icontains"),
        "owner.full_name": ("eq", "ne", "in", "lt", "icontains", "startswith", "isnull"),
        "owner.age": ("gte", "range", "isnull"),
        "owner.email": ("eq", "ne", "isnull"),
        "owner.city.name": ("eq", "ne", "isnull"),
        "owner.city.country.name": ("eq", "isnull"),
        "reviewer.full_name": ("eq", "in"),
        "parent.title": ("eq", "isnull"),
        "parent.owner.full_name": ("eq", "isnull"),
    }
    sort = ("id",)
    search = ("title", "owner.full_name", "owner.email", "parent.owner.city.name")


def of_team(principal):
    """Return the people whom a caller of this team may see."""
    return None if principal is None else Person.team == principal


async def of_short_name(request):
    """Return the cities that anybody may see."""
    return City.name != "aa"


class ScopedFilters(PostFilters):
    filter_scopes = {  # noqa: RUF012
        "owner": of_team,
        "owner.city": of_short_name,
        "reviewer": None,
        "parent": lambda: True,
        "parent.owner": None,
    }


TEXTS = ("a", "b", "aa", "ab", "A%", "b_")


def make_rows(seed):
    """Return rows by table, the same for each *seed*; a third of the keys are NULL."""
    choose = random.Random(seed)

    def key(most):
        return choose.randint(1, most) if choose.random() < 0.7 else None

    def text():
        return choose.choice(TEXTS)

    return {
        Country: [{"name": text()} for _ in range(4)],
        City: [{"name": text(), "country": key(4)} for _ in range(8)],
        Person: [
            {
                "full_name": text(),
                "email": choose.choice((None, *TEXTS)),
                "age": choose.choice((None, 1, 2, 3)),
                "team": choose.randint(1, 2),
                "city": key(8),
            }
            for _ in range(14)
        ],
        Post: [
            {"title": text(), "owner": key(14), "reviewer": key(14), "parent": key(max(1, number))}
            for number in range(90)
        ],
    }


# The same by hand: the rows beside each post, as far as a caller may see them.
BY_HAND = """
SELECT p.id FROM posts AS p
LEFT JOIN people AS o ON o.id = p.owner_id AND {owner}
LEFT JOIN cities AS c ON c.id = o.city_id AND {city}
LEFT JOIN countries AS k ON k.id = c.country_id
LEFT JOIN people AS r ON r.id = p.reviewer_id
LEFT JOIN posts AS q ON q.id = p.parent_id
LEFT JOIN people AS qo ON qo.id = q.owner_id
LEFT JOIN cities AS qc ON qc.id = qo.city_id
WHERE {where} ORDER BY p.id
"""
COLUMNS = {
    "title": "p.title",
    "owner.full_name": "o.full_name",
    "owner.age": "o.age",
    "owner.email": "o.email",
    "owner.city.name": "c.name",
    "owner.city.country.name": "k.name",
    "reviewer.full_name": "r.full_name",
    "parent.title": "q.title",
    "parent.owner.full_name": "qo.full_name",
}


def make_condition(choose, name, operator):
    """Return a text of a query, and the condition by hand that it means."""
    column = COLUMNS[name]
    one, two = (
        (choose.randint(1, 3), choose.randint(1, 3))
        if name == "owner.age"
        else (choose.choice(TEXTS), choose.choice(TEXTS))
    )
    if operator == "isnull":
        is_null = choose.random() < 0.5
        return str(is_null).lower(), f"{column} IS {'' if is_null else 'NOT '}NULL"
    if operator in ("in", "range"):
        low, high = f"'{one}'", f"'{two}'"
        sql = f"BETWEEN {low} AND {high}" if operator == "range" else f"IN ({low}, {high})"
        return f"{one},{two}", f"{column} {sql}"
    there = f"{column.partition('.')[0]}.id IS NOT NULL"
    conditions = {
        "eq": f"{column} = '{one}'",
        "ne": f"({there} AND {column} IS DISTINCT FROM '{one}')",
        "lt": f"{column} < '{one}'",
        "gte": f"{column} >= '{one}'",
        "icontains": f"strpos(lower({column}), lower('{one}')) > 0",
        "startswith": f"starts_with({column}, '{one}')",
    }
    return str(one), conditions[operator]


def make_search(word):
    """Return the condition by hand of a word that is searched for."""
    columns = ("p.title", "o.full_name", "o.email", "qc.name")
    return f"({' OR '.join(f'strpos(lower({each}), lower({word!r})) > 0' for each in columns)})"
