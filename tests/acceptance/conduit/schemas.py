"""What Conduit reads and answers."""

from marshmallow.validate import Length, Range

from msframework import ModelSchema, Schema
from msframework.schemas import fields
from tests.acceptance.conduit.models import Article, Comment, User


class UserSchema(ModelSchema):
    email = fields.Email(required=True, validate=Length(max=128))
    token = fields.String(dump_only=True)

    class Meta:
        model = User
        fields = ("username", "email", "password", "bio", "image", "token")
        load_only = ("password",)


class LoginSchema(Schema):
    email = fields.String(required=True)
    password = fields.String(required=True)


class ProfileSchema(ModelSchema):
    following = fields.Boolean()

    class Meta:
        model = User
        fields = ("username", "bio", "image", "following")


class CommentSchema(ModelSchema):
    author = fields.Nested(ProfileSchema, dump_only=True)

    class Meta:
        model = Comment
        fields = ("id", "body", "created_at", "updated_at", "author")
        naming = "camel"


class ArticleSchema(ModelSchema):
    author = fields.Nested(ProfileSchema, dump_only=True)
    favorited = fields.Boolean(dump_only=True)
    favorites_count = fields.Integer(dump_only=True)

    class Meta:
        model = Article
        fields = (
            *("slug", "title", "description", "body", "tag_list", "created_at", "updated_at"),
            *("author", "favorited", "favorites_count"),
        )
        dump_only = ("slug",)
        naming = "camel"


class ArticlesSchema(Schema):
    articles = fields.List(fields.Nested(ArticleSchema(exclude=("body",))))
    articlesCount = fields.Integer()


class FeedQuery(Schema):
    limit = fields.Integer(load_default=20, validate=Range(1, 100))
    offset = fields.Integer(load_default=0, validate=Range(0, 100_000))


class ArticleQuery(FeedQuery):
    tag = fields.String()
    author = fields.String()
    favorited = fields.String()
