from peewee import AutoField, CompositeKey, DeferredForeignKey, IntegerField, Model, TextField

from msframework import models as ours
from msframework.migrations.model_search import find_target, has_table, read_models, read_models_of


class Plain(Model):
    """A base without fields."""


class Dated(Plain):
    created = IntegerField()

    class Meta:
        abstract = True


class Named(Dated):
    name = TextField()

    class Meta:
        abstract = True


class Person(Named):
    pass


class Ticket(Plain):
    """Nothing but a key."""


class Numbered(Model):
    number = AutoField()

    class Meta:
        table_name = "numbers"


class HalfNumbered(Numbered):
    half = IntegerField()


class Pair(Model):
    one = IntegerField()
    two = IntegerField()

    class Meta:
        primary_key = CompositeKey("one", "two")


class PairOfPairs(Pair):
    pass


class Passing(Model):
    name = TextField()

    class Meta:
        temporary = True


class OurBase(ours.Model):
    class Meta:
        abstract = True
        comment = "The base"


class OurSecondBase(OurBase):
    class Meta:
        abstract = True


class Heir(OurSecondBase):
    pass


class OurUnusedBase(ours.Model):
    class Meta:
        abstract = True


def test_models_with_a_table_are_told_from_bases():
    tables = (Person, Ticket, Numbered, HalfNumbered, Pair, PairOfPairs, Heir)
    bases = (Plain, Dated, Named, Passing, OurBase, OurSecondBase, OurUnusedBase, ours.Model)

    assert [model for model in (*tables, *bases) if has_table(model)] == list(tables)


def test_what_is_abstract_is_not_inherited_nor_is_the_comment():
    assert (OurBase._meta.abstract, OurSecondBase._meta.abstract) == (True, True)
    assert (Heir._meta.abstract, Heir._meta.comment, Heir._meta.legacy_table_names) == (
        False,
        None,
        False,
    )


def test_models_are_found_in_a_module_and_in_a_package(project):
    project.write(
        "shop/models/__init__.py",
        """
        from peewee import Model, ManyToManyField
        from shop.models.goods import Good as Ware, Base
        class Order(Base):
            goods = ManyToManyField(Ware, backref="orders")
        """,
    )
    project.write(
        "shop/models/goods.py",
        """
        from peewee import Model
        from depot.models import Shelf
        class Base(Model):
            pass
        class Good(Base):
            pass
        """,
    )
    project.write("shop/models/more/inner.py", "from shop.models import Order\nOther = Order\n")
    project.write("depot/models.py", "from peewee import Model\nclass Shelf(Model):\n    pass\n")
    project.write("empty/views.py", "")

    assert [model.__name__ for model in read_models("shop")] == [
        "Good",
        "Order",
        "OrderGoodThrough",
    ]
    assert [model.__name__ for model in read_models("depot")] == ["Shelf"]
    assert read_models("empty") == []


def test_a_base_may_have_its_subclasses_in_an_app_that_comes_later(project):
    project.write("base/models.py", "from peewee import Model\nclass Base(Model):\n    pass\n")
    project.write("heir/models.py", "from base.models import Base\nclass Heir(Base):\n    pass\n")

    found = read_models_of(["base", "heir"])

    assert {app: [model.__name__ for model in found[app]] for app in found} == {
        "base": [],
        "heir": ["Heir"],
    }


def test_the_target_of_a_deferred_key_is_looked_for_near_by():
    twin = type("Person", (Model,), {"__module__": "elsewhere"})

    class Lost(Model):
        person = DeferredForeignKey("Person")
        nobody = DeferredForeignKey("NobodyAtAll")

    fields = Lost._meta.fields
    assert find_target(fields["person"], [twin]) is Person
    assert find_target(fields["nobody"], [Person]) is None
    Lost.__module__ = "nowhere"
    assert find_target(fields["person"], [twin]) is twin
    assert find_target(fields["person"], []) is None
