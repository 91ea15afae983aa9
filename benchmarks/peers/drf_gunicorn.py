"""Django REST Framework (ModelSerializer, drf-spectacular) + psycopg 3, gunicorn gthread x16."""

import os
from concurrent.futures import ThreadPoolExecutor

import django
import orjson
import urllib3
from django.conf import settings

from . import common

settings.configure(
    SECRET_KEY="benchmark",
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    APPEND_SLASH=False,
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "drf_spectacular",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["BENCH_PG_DB"],
            "USER": os.environ["BENCH_PG_USER"],
            "HOST": os.environ["BENCH_PG_HOST"],
            "OPTIONS": {"pool": {"min_size": common.POOL, "max_size": common.POOL}},
        }
    },
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
        "EXCEPTION_HANDLER": f"{__name__}.handle_exception",
    },
    SPECTACULAR_SETTINGS={"TITLE": "drf peer", "VERSION": "1"},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models, transaction  # noqa: E402
from django.db.models.functions import Now  # noqa: E402
from django.urls import path  # noqa: E402
from drf_spectacular.utils import extend_schema  # noqa: E402
from drf_spectacular.views import SpectacularAPIView  # noqa: E402
from rest_framework import exceptions, serializers, views  # noqa: E402
from rest_framework.generics import get_object_or_404  # noqa: E402
from rest_framework.response import Response  # noqa: E402

http = urllib3.PoolManager(maxsize=64)
fan = ThreadPoolExecutor(2 * 16)


def handle_exception(exc, context):
    response = views.exception_handler(exc, context)
    if isinstance(exc, exceptions.ValidationError):
        response.status_code = 422
    return response


class User(models.Model):
    class Sex(models.TextChoices):
        MALE = "male"
        FEMALE = "female"
        OTHER = "other"

    name = models.CharField(max_length=128)
    email = models.EmailField(max_length=128)
    age = models.IntegerField()
    sex = models.CharField(max_length=32, choices=Sex.choices)
    balance = models.DecimalField(max_digits=12, decimal_places=2)
    city_id = models.IntegerField()
    role_id = models.IntegerField()
    uid = models.UUIDField(db_default=models.Func(function="gen_random_uuid"))
    is_active = models.BooleanField(db_default=True)
    create_time = models.DateTimeField(db_default=Now())

    class Meta:
        app_label = "bench"
        db_table = "users"
        managed = False


class UserOut(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = (
            "id",
            "name",
            "email",
            "age",
            "sex",
            "balance",
            "city_id",
            "role_id",
            "uid",
            "is_active",
            "create_time",
        )


class CityOut(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    country = serializers.CharField()


class RoleOut(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    level = serializers.IntegerField()


class FullUserOut(UserOut):
    city = CityOut()
    role = RoleOut()

    class Meta(UserOut.Meta):
        fields = (*UserOut.Meta.fields, "city", "role")


class UserIn(serializers.ModelSerializer):
    age = serializers.IntegerField(min_value=0, max_value=150)

    class Meta:
        model = User
        fields = ("name", "email", "age", "sex", "balance", "city_id", "role_id")


class PageQuery(serializers.Serializer):
    page = serializers.IntegerField(min_value=1, default=1)
    per_page = serializers.IntegerField(min_value=1, max_value=100, default=20)


class Hello(views.APIView):
    def get(self, request):
        return Response({"code": 0, "data": {"message": "Hello, World!"}})


class Users(views.APIView):
    @extend_schema(parameters=[PageQuery], responses=UserOut(many=True))
    def get(self, request):
        query = PageQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        page, per_page = query.validated_data["page"], query.validated_data["per_page"]
        users = User.objects.order_by("id")
        rows = users[(page - 1) * per_page : page * per_page]
        return Response(
            {
                "code": 0,
                "data": UserOut(rows, many=True).data,
                "pagination": {"page": page, "per_page": per_page, "total": users.count()},
            }
        )

    @extend_schema(request=UserIn, responses={201: UserIn})
    def post(self, request):
        body = UserIn(data=request.data)
        body.is_valid(raise_exception=True)
        with transaction.atomic():
            user = body.save()
        return Response({"code": 0, "data": {"id": user.pk}}, status=201)


class OneUser(views.APIView):
    @extend_schema(responses=UserOut)
    def get(self, request, user_id):
        return Response({"code": 0, "data": UserOut(get_object_or_404(User, pk=user_id)).data})


def upstream(url: str) -> dict:
    return orjson.loads(http.request("GET", common.UPSTREAM + url).data)["data"]


class OneFullUser(views.APIView):
    @extend_schema(responses=FullUserOut)
    def get(self, request, user_id):
        user = get_object_or_404(User, pk=user_id)
        city = fan.submit(upstream, f"/cities/{user.city_id}")
        role = fan.submit(upstream, f"/roles/{user.role_id}")
        user.city, user.role = city.result(), role.result()
        return Response({"code": 0, "data": FullUserOut(user).data})


urlpatterns = [
    path("json", Hello.as_view()),
    path("users", Users.as_view()),
    path("users/<int:user_id>", OneUser.as_view()),
    path("users/<int:user_id>/full", OneFullUser.as_view()),
    path("openapi.json", SpectacularAPIView.as_view()),
]
application = get_wsgi_application()
