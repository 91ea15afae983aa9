import pytest

from msframework.models import (
    BlobField,
    CharField,
    DecimalField,
    ForeignKeyField,
    Model,
    nest,
    render,
)


class Writer(Model):
    name = CharField(column_name="full name's")
    fee = DecimalField()
    picture = BlobField()


class Article(Model):
    title = CharField()
    writer = ForeignKeyField(Writer)


class Keyless(Model):
    name = CharField()

    class Meta:
        primary_key = False


def test_columns_become_an_object():
    query = Article.select(Article.id, nest(Writer.id, Writer.name, Writer.fee).alias("writer"))

    sql, arguments = render(query.join(Writer))

    assert (
        """jsonb_build_object('id', "t2"."id", 'full name''s', "t2"."full name's","""
        """ 'fee', CAST("t2"."fee" AS text)) AS "writer\""""
    ) in sql
    assert arguments == ()


def test_members_have_names_of_ones_own():
    sql, arguments = render(Writer.select(nest(Writer.id, is_me=Writer.id == 5, other=Writer.name)))

    assert """'is_me', ("t1"."id" = $1), 'other', "t1"."full name's")""" in sql
    assert arguments == (5,)


def test_a_row_that_may_be_missing_is_null():
    other = Writer.alias()
    query = Article.select(nest(other.name, optional=True), nest(Writer.id, optional=True))
    joined = query.join(Writer).switch(Article).join(other, on=Article.writer == other.id)

    sql, _ = render(joined)

    assert sql.count("CASE WHEN") == 2
    assert """WHEN ("t1"."id" IS NOT NULL) THEN jsonb_build_object('full name''s', "t1".""" in sql
    assert """WHEN ("t2"."id" IS NOT NULL) THEN jsonb_build_object('id', "t2".""" in sql


@pytest.mark.parametrize(
    ("columns", "options", "error", "said"),
    [
        (("name",), {}, TypeError, "takes columns such as User.name, and got 'name'"),
        ((Writer.picture,), {}, TypeError, "got Writer.picture, whose values are bytes"),
        ((Writer.id, Article.id), {}, ValueError, "has two members 'id'"),
        ((Writer.id,), {"id": Article.id}, ValueError, "has two members 'id'"),
        ((), {"optional": True, "a": Writer.id}, ValueError, "needs a column of a model"),
        ((Keyless.name,), {"optional": True}, ValueError, "needs a column of a model"),
    ],
    ids=["text", "bytes", "twice", "named-twice", "none", "keyless"],
)
def test_what_cannot_be_nested_is_refused(columns, options, error, said):
    with pytest.raises(error, match=said):
        nest(*columns, **options)
