"""The project that the origin document describes, on disk: its code blocks and what they need.

`mysite.configs` are the settings, `service` is the microservice for users, `tests` its test.
"""

from pathlib import Path

from tests.origin import patches
from tests.origin.patches import MODEL_IMPORTS, framed

CONFIGS = """\
from pathlib import Path

DEBUG = True
APP_ID = 'user-service'
INSTALLED_APPS = ('service',)
DB_CONFIG = {{'dsn': {url!r}, 'max_size': 4}}
EXTRA = {{'upstream': 'http://127.0.0.1:9'}}
ACCESS_CONTROL_ALLOW_ORIGIN = '*'
ACCESS_CONTROL_ALLOW_HEADERS = 'X-Token, Content-Type'
ACCESS_CONTROL_ALLOW_METHODS = 'GET, POST, PUT, DELETE, OPTIONS'
OPENAPI_VERSION = '2.0'
SWAGGER = {{
    'version': '1.2.3',
    'title': 'USER API',
    'description': 'users and their cities',
    'termsOfService': 'https://example.com/terms',
    'contact_email': 'team@example.com',
}}
"""
LOGGING = """\
version: 1
formatters:
  json:
    (): msframework.log.JsonFormatter
handlers:
  file:
    class: logging.FileHandler
    filename: service.log
    formatter: json
root:
  level: INFO
  handlers: [file]
loggers:
  zipkin:
    level: INFO
"""
API_CLASSES = """\
from msframework import doc


class ProvinceApi:
    id = doc.Integer('province id')
    name = doc.String('province name')


class CityApi:
    id = doc.Integer('city id')
    name = doc.String('city name')
    province = ProvinceApi


class RoleApi:
    id = doc.Integer('role id')
    name = doc.String('role name')
"""
APP = """\
from msframework import create_app

app = create_app()
"""
# What the document has no example of stands behind its blocks.
MORE_HANDLERS = """\


@user_bp.get('/')
@doc.summary('list users')
@doc.tag('people')
@doc.produces([Users])
async def list_users(request):
    sex = request.args.get('sex', 'male')
    async with request.app.db.acquire(request) as cur:
        return await cur.fetch("SELECT * FROM users WHERE sex = $1 ORDER BY id", sex)


@user_bp.get('/relay/<method>')
async def relay(request, method):
    cli = request.app.client.cli(request)
    async with cli.request(method, '/things') as res:
        return {'status': res.status, 'text': await res.text(), 'own': res.headers.get('x-own')}


@user_bp.get('/loop')
async def get_loop(request):
    return type(asyncio.get_running_loop()).__module__
"""
FIND_HANDLER = """\


@visit_bp.get('/visits')
async def get_visit(request):
    return await find(request)
"""
SERVER = """\
from service.app import app
from service.users import user_bp
from service.visits import visit_bp

app.blueprint(user_bp)
app.blueprint(visit_bp)
"""
MANAGE = """\
import sys

from msframework.management import execute

if __name__ == '__main__':
    sys.exit(execute())
"""


def models_and_migrations() -> tuple[str, str]:
    """Return the two files that the block of the chapter Model & Migration holds."""
    first, second = framed(patches.MODELS).split("# migrations.py\n")
    models = MODEL_IMPORTS + first.removeprefix("# models.py\n").strip() + "\n"
    lines = second.lstrip().partition("\n")
    return models, f"{lines[0]}\nfrom service.models import Users\n{lines[2]}"


def with_first_version(migrations: str) -> str:
    """Return *migrations* with the method that is commented out in the document."""
    return migrations.replace("    # ", "    ")


def project_files(url: str) -> dict[str, str]:
    """Return the files of the project, by path.

    Args:
        url: the address of its database.
    """
    models, migrations = models_and_migrations()
    return {
        "manage.py": MANAGE,
        "mysite/__init__.py": "",
        "mysite/configs.py": CONFIGS.format(url=url),
        "mysite/logging.yml": LOGGING,
        "service/__init__.py": "",
        "service/api.py": API_CLASSES,
        "service/app.py": APP,
        "service/models.py": models,
        "service/migrations.py": migrations,
        "service/clients.py": framed(patches.CLIENT) + "\n\n" + framed(patches.LOGGER),
        "service/users.py": framed(patches.SERVER) + "\n\n" + framed(patches.API) + MORE_HANDLERS,
        "service/visits.py": framed(patches.EXCEPTION) + "\n\n" + framed(patches.DB) + FIND_HANDLER,
        "service/server.py": SERVER,
        "tests/test_users.py": framed(patches.TEST_CASE),
    }


def write_project(root: Path, url: str) -> Path:
    """Write the project into *root*, and return that."""
    for name, text in project_files(url).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root
