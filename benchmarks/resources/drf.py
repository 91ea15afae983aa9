"""The resource in Django REST framework, with django-filter, simplejwt and drf-spectacular."""

import os
from urllib.parse import parse_qs, urlsplit

import django
from django.conf import settings
from django.db import IntegrityError, connection, models, transaction
from django.urls import include, path

_ADDRESS = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ["JWT_SECRET"],
    ALLOWED_HOSTS=["*"],
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _ADDRESS.path[1:],
            "USER": _ADDRESS.username,
            "HOST": parse_qs(_ADDRESS.query)["host"][0],
            "PORT": parse_qs(_ADDRESS.query).get("port", ["5432"])[0],
        }
    },
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"
        ],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
        "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    },
    SIMPLE_JWT={"USER_ID_CLAIM": "sub"},
)
django.setup()

import django_filters  # noqa: E402 - these read the settings
from rest_framework import (  # noqa: E402
    mixins,
    pagination,
    routers,
    serializers,
    status,
    viewsets,
)
from rest_framework.exceptions import APIException  # noqa: E402


# The resource.
class Note(models.Model):
    owner_id = models.IntegerField(db_index=True)
    title = models.CharField(max_length=128, unique=True)
    body = models.TextField(blank=True, default="")
    create_time = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "notes"
        db_table = "notes"
        ordering = ["id"]


class NoteSerializer(serializers.ModelSerializer):
    class Meta:
        model = Note
        fields = ["id", "title", "body", "create_time"]
        extra_kwargs = {"title": {"validators": []}}


class NoteFilter(django_filters.FilterSet):
    class Meta:
        model = Note
        fields = {"title": ["icontains"], "create_time": ["gte"]}


class NotePagination(pagination.PageNumberPagination):
    page_size = 20
    page_size_query_param = "per_page"
    max_page_size = 100


class TitleTaken(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "Another note has this title"


class NoteViewSet(
    mixins.ListModelMixin,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet,
):
    serializer_class = NoteSerializer
    filterset_class = NoteFilter
    pagination_class = NotePagination
    http_method_names = ["get", "post", "patch", "delete"]
    queryset = Note.objects.none()

    def get_queryset(self):
        return Note.objects.filter(owner_id=self.request.user.id)

    def perform_create(self, serializer):
        self.save(serializer, owner_id=self.request.user.id)

    def perform_update(self, serializer):
        self.save(serializer)

    def save(self, serializer, **values):
        try:
            with transaction.atomic():
                serializer.save(**values)
        except IntegrityError as exc:
            raise TitleTaken from exc


router = routers.SimpleRouter(trailing_slash=False)
router.register("notes", NoteViewSet)


# The service.
from django.core.wsgi import get_wsgi_application  # noqa: E402
from drf_spectacular.views import SpectacularJSONAPIView  # noqa: E402

document = SpectacularJSONAPIView.as_view(authentication_classes=[], permission_classes=[])
urlpatterns = [path("", include(router.urls)), path("openapi.json", document)]
app = get_wsgi_application()


def prepare() -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Note)
