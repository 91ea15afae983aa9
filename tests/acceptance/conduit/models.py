"""The tables of Conduit."""

from peewee import CompositeKey
from playhouse.postgres_ext import ArrayField

from msframework.models import CharField, DateTimeTZField, ForeignKeyField, Model, TextField


class User(Model):
    username = CharField(max_length=64, unique=True)
    email = CharField(max_length=128, unique=True)
    password = CharField(max_length=128)
    bio = TextField(null=True)
    image = TextField(null=True)

    class Meta:
        table_name = "users"


class Follow(Model):
    follower = ForeignKeyField(User, on_delete="CASCADE")
    followed = ForeignKeyField(User, on_delete="CASCADE", backref="followers")

    class Meta:
        table_name = "follows"
        primary_key = CompositeKey("follower", "followed")


class Article(Model):
    slug = CharField(max_length=160, unique=True)
    title = CharField(max_length=128)
    description = TextField()
    body = TextField()
    tag_list = ArrayField(TextField, default=list)
    created_at = DateTimeTZField(auto_now_add=True, index=True)
    updated_at = DateTimeTZField(auto_now=True)
    author = ForeignKeyField(User, on_delete="CASCADE")

    class Meta:
        table_name = "articles"


class Favorite(Model):
    user = ForeignKeyField(User, on_delete="CASCADE")
    article = ForeignKeyField(Article, on_delete="CASCADE")

    class Meta:
        table_name = "favorites"
        primary_key = CompositeKey("user", "article")


class Comment(Model):
    body = TextField()
    created_at = DateTimeTZField(auto_now_add=True)
    updated_at = DateTimeTZField(auto_now=True)
    article = ForeignKeyField(Article, on_delete="CASCADE")
    author = ForeignKeyField(User, on_delete="CASCADE")

    class Meta:
        table_name = "comments"
