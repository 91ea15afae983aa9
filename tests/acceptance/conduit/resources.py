"""The endpoints of Conduit."""

import re
import secrets

from peewee import SQL, fn

from msframework import (
    Authenticated,
    Blueprint,
    Conflict,
    Forbidden,
    NotFound,
    Resource,
    Unauthorized,
    doc,
)
from msframework.access import hash_password, verify_password
from msframework.models import nest
from tests.acceptance.conduit.access import make_token
from tests.acceptance.conduit.models import Article, Comment, Favorite, Follow, User
from tests.acceptance.conduit.schemas import (
    ArticleQuery,
    ArticleSchema,
    ArticlesSchema,
    CommentSchema,
    FeedQuery,
    LoginSchema,
    ProfileSchema,
    UserSchema,
)

api = Blueprint("conduit")


class NameTaken(Conflict):
    error = {"username": ["has already been taken"]}


class EmailTaken(Conflict):
    error = {"email": ["has already been taken"]}


class WrongPassword(Unauthorized):
    error = {"email or password": ["is invalid"]}


def me(request, principal=None):
    """Return the id of the caller; 0 for a stranger."""
    return int(principal.id) if principal is not None else 0


api.provide("me", me)


# Users.


class UserResource(Resource):
    async def answer(self, user):
        return user | {"token": make_token(user["id"])}


@api.resource("/users")
@doc.raises(NameTaken, constraint="users_username")
@doc.raises(EmailTaken, constraint="users_email")
class Users(UserResource):
    @doc.consumes(UserSchema, key="user")
    @doc.produces(UserSchema, key="user", status=201)
    async def post(self, request, body, tx):
        body["password"] = await hash_password(body["password"])
        return await self.answer(await tx.fetchrow(User.insert(**body).returning(User)))


@api.resource("/users/login")
class Login(UserResource):
    @doc.consumes(LoginSchema, key="user")
    @doc.produces(UserSchema, key="user")
    @doc.raises(WrongPassword)
    async def post(self, request, body, db):
        async with db.acquire() as cur:
            user = await cur.fetchrow(User.select().where(User.email == body["email"]))
        if not await verify_password(body["password"], user and user["password"]):
            raise WrongPassword
        return await self.answer(user)


@api.resource("/user")
@doc.raises(NameTaken, constraint="users_username")
@doc.raises(EmailTaken, constraint="users_email")
class CurrentUser(UserResource):
    guards = (Authenticated(),)

    @doc.produces(UserSchema, key="user")
    async def get(self, request, me, cur):
        return await self.answer(await cur.one(User.select().where(User.id == me)))

    @doc.consumes(UserSchema, key="user", partial=True)
    @doc.produces(UserSchema, key="user")
    async def put(self, request, me, body, tx):
        if "password" in body:
            body["password"] = await hash_password(body["password"])
        return await self.answer(await tx.update(User, me, body))


# Profiles.


def following(viewer):
    """Return the condition that *viewer* follows the user."""
    follows = Follow.select(SQL("1")).where(
        (Follow.follower == viewer) & (Follow.followed == User.id)
    )
    return fn.EXISTS(follows)


class ProfileResource(Resource):
    async def profile(self, cur, username, viewer):
        shown = (User.id, User.username, User.bio, User.image)
        found = User.select(*shown, following(viewer).alias("following"))
        return await cur.one(found.where(User.username == username))


@api.resource("/profiles/<username>")
@doc.raises(NotFound)
class Profile(ProfileResource):
    @doc.produces(ProfileSchema, key="profile")
    async def get(self, request, username, me, cur):
        return await self.profile(cur, username, me)


@api.resource("/profiles/<username>/follow")
@doc.raises(NotFound)
class ProfileFollow(ProfileResource):
    guards = (Authenticated(),)

    @doc.produces(ProfileSchema, key="profile")
    async def post(self, request, username, me, tx):
        profile = await self.profile(tx, username, me)
        await tx.upsert(Follow, {"follower": me, "followed": profile["id"]}, update=())
        return profile | {"following": True}

    @doc.produces(ProfileSchema, key="profile")
    async def delete(self, request, username, me, tx):
        profile = await self.profile(tx, username, me)
        mine = (Follow.follower == me) & (Follow.followed == profile["id"])
        await tx.execute(Follow.delete().where(mine))
        return profile | {"following": False}


# Articles.


def articles(viewer):
    """Return the select of articles as *viewer* sees them, the newest first."""
    favorites = Favorite.select(SQL("1")).where(Favorite.article == Article.id)
    author = nest(User.username, User.bio, User.image, following=following(viewer))
    return (
        Article.select(
            Article,
            author.alias("author"),
            fn.EXISTS(favorites.where(Favorite.user == viewer)).alias("favorited"),
            favorites.select(fn.COUNT(SQL("*"))).alias("favorites_count"),
        )
        .join(User)
        .order_by(Article.created_at.desc(), Article.id.desc())
    )


async def page_of(cur, query, limit, offset):
    """Return the answer of a listing."""
    count = await cur.fetchval(query.order_by().select(fn.COUNT(Article.id)))
    return {"articles": await cur.fetch(query.limit(limit).offset(offset)), "articlesCount": count}


class ArticleResource(Resource):
    async def article(self, cur, slug, viewer):
        return await cur.one(articles(viewer).where(Article.slug == slug))

    async def own(self, tx, slug, me):
        article = await tx.one(Article.select().where(Article.slug == slug))
        if article["author_id"] != me:
            raise Forbidden
        return article


@api.resource("/articles")
class Articles(ArticleResource):
    guards = (Authenticated().on("POST"),)

    @doc.query(ArticleQuery)
    @doc.produces(ArticlesSchema)
    async def get(self, request, query, me, cur):
        found = articles(me)
        if "tag" in query:
            found = found.where(Article.tag_list.contains(query["tag"]))
        if "author" in query:
            found = found.where(User.username == query["author"])
        if "favorited" in query:
            fan = User.alias()
            theirs = Favorite.select(Favorite.article).join(fan, on=Favorite.user == fan.id)
            found = found.where(Article.id << theirs.where(fan.username == query["favorited"]))
        return await page_of(cur, found, query["limit"], query["offset"])

    @doc.consumes(ArticleSchema, key="article")
    @doc.produces(ArticleSchema, key="article", status=201)
    async def post(self, request, body, me, tx):
        words = re.sub(r"[^a-z0-9]+", "-", body["title"].lower()).strip("-")
        slug = f"{words}-{secrets.token_hex(4)}"
        body["tag_list"] = sorted(body["tag_list"])
        await tx.execute(Article.insert(**body, slug=slug, author=me))
        return await self.article(tx, slug, me)


@api.resource("/articles/feed")
class Feed(Resource):
    guards = (Authenticated(),)

    @doc.query(FeedQuery)
    @doc.produces(ArticlesSchema)
    async def get(self, request, query, me, cur):
        followed = Follow.select(Follow.followed).where(Follow.follower == me)
        mine = articles(me).where(Article.author << followed)
        return await page_of(cur, mine, query["limit"], query["offset"])


@api.resource("/articles/<slug>")
@doc.raises(NotFound)
class ArticleDetail(ArticleResource):
    guards = (Authenticated().on("PUT", "DELETE"),)

    @doc.produces(ArticleSchema, key="article")
    async def get(self, request, slug, me, cur):
        return await self.article(cur, slug, me)

    @doc.consumes(ArticleSchema, key="article", partial=True)
    @doc.produces(ArticleSchema, key="article")
    @doc.raises(Forbidden)
    async def put(self, request, slug, body, me, tx):
        await tx.update(Article, (await self.own(tx, slug, me))["id"], body)
        return await self.article(tx, slug, me)

    @doc.produces(status=204)
    @doc.raises(Forbidden)
    async def delete(self, request, slug, me, tx):
        own = await self.own(tx, slug, me)
        await tx.execute(Article.delete().where(Article.id == own["id"]))


@api.resource("/articles/<slug>/favorite")
@doc.raises(NotFound)
class ArticleFavorite(ArticleResource):
    guards = (Authenticated(),)

    @doc.produces(ArticleSchema, key="article")
    async def post(self, request, slug, me, tx):
        article = await self.article(tx, slug, me)
        await tx.upsert(Favorite, {"user": me, "article": article["id"]}, update=())
        return await self.article(tx, slug, me)

    @doc.produces(ArticleSchema, key="article")
    async def delete(self, request, slug, me, tx):
        article = await self.article(tx, slug, me)
        mine = (Favorite.user == me) & (Favorite.article == article["id"])
        await tx.execute(Favorite.delete().where(mine))
        return await self.article(tx, slug, me)


# Comments and tags.


def comments(viewer):
    """Return the select of comments as *viewer* sees them."""
    author = nest(User.username, User.bio, User.image, following=following(viewer))
    return Comment.select(Comment, author.alias("author")).join(User).order_by(Comment.id)


@api.resource("/articles/<slug>/comments")
@doc.raises(NotFound)
class Comments(Resource):
    guards = (Authenticated().on("POST"),)

    @doc.produces(CommentSchema(many=True), key="comments")
    async def get(self, request, slug, me, cur):
        article = await cur.one(Article.select(Article.id).where(Article.slug == slug))
        return await cur.fetch(comments(me).where(Comment.article == article["id"]))

    @doc.consumes(CommentSchema, key="comment")
    @doc.produces(CommentSchema, key="comment", status=201)
    async def post(self, request, slug, body, me, tx):
        article = await tx.one(Article.select(Article.id).where(Article.slug == slug))
        made = Comment.insert(**body, article=article["id"], author=me).returning(Comment.id)
        return await tx.one(comments(me).where(Comment.id == await tx.fetchval(made)))


@api.resource("/articles/<slug>/comments/<id:int>")
@doc.raises(NotFound, Forbidden)
class CommentDetail(Resource):
    guards = (Authenticated(),)

    @doc.produces(status=204)
    async def delete(self, request, slug, id, me, tx):
        there = (Comment.id == id) & (Article.slug == slug)
        comment = await tx.one(Comment.select(Comment.author).join(Article).where(there))
        if comment["author_id"] != me:
            raise Forbidden
        await tx.execute(Comment.delete().where(Comment.id == id))


@api.get("/tags")
@doc.produces({"tags": [str]})
async def tags(request, cur):
    names = (
        Article.select(fn.unnest(Article.tag_list).alias("name")).distinct().order_by(SQL("name"))
    )
    return {"tags": [row["name"] for row in await cur.fetch(names)]}
