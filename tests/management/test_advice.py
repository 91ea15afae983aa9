"""What `manage.py check` says: the mistakes that stop a start, and the warnings that do not."""

import importlib
import os
import textwrap
from itertools import count

import pytest

from tests.certificates import DAY, Authority

NUMBERS = count()
RESOURCES = """
from msframework import Blueprint, Conflict, Resource, doc
from msframework.models import CharField, IntegerField, Model

things = Blueprint("things", url_prefix="/things")
"""


@pytest.fixture
def check(tmp_path, monkeypatch, run):
    """Return a function that writes an app and runs `check` on it.

    Its arguments are the app's files; it returns exit code, output, and what was said of mistakes
    and warnings.
    """
    monkeypatch.syspath_prepend(tmp_path)

    def check(*arguments, settings="", **files):
        app = f"advised_{next(NUMBERS)}"
        files = {"__init__": "", **files}
        settings = f'DEBUG = True\nINSTALLED_APPS = ("{app}",)\n{settings}'
        (tmp_path / f"{app}_settings.py").write_text(settings.replace("ANAPP", app))
        for name, text in files.items():
            path = tmp_path / app / f"{name.replace('__in__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).replace("ANAPP", app))
        importlib.invalidate_caches()  # Python looks at folders again only after a while
        return run("check", "--settings", f"{app}_settings", *arguments)

    return check


def resources(text):
    return RESOURCES + textwrap.dedent(text)


GOOD = """
    @things.resource("/")
    class Things(Resource):
        async def get(self, request): ...
"""
MODELS = """
    from msframework.models import CharField, Check, ForeignKeyField, IntegerField, Model, SQL

    class Owner(Model):
        name = CharField(unique=True)

    class Thing(Model):
        name = CharField()
        size = IntegerField(constraints=[Check("size > 0", "thing_size_positive")])
        owner = ForeignKeyField(Owner)

        class Meta:
            table_name = "things"
            indexes = ((("name", "size"), True),)
            constraints = [SQL("CONSTRAINT no_empty_name CHECK (name <> '')")]

    Thing.add_index(SQL("CREATE UNIQUE INDEX things_lower_name ON things (lower(name))"))
"""


def raising(constraint):
    return resources(f"""
    class Taken(Conflict):
        code = 7001

    @things.resource("/")
    class Things(Resource):
        @doc.raises(Taken, constraint="{constraint}")
        async def post(self, request): ...
    """)


def test_a_sound_app_has_no_warnings(check):
    code, out, err = check("--strict", resources=resources(GOOD), models=MODELS)

    assert (code, err) == (0, "")
    assert "no mistakes found" in out


def test_the_table_of_a_many_to_many_field_is_no_foreign_model(check):
    models = MODELS.replace("IntegerField, Model", "IntegerField, ManyToManyField, Model")
    models = models.replace(
        "owner = Foreign", "others = ManyToManyField(Owner)\n        owner = Foreign"
    )

    code, _, err = check("--strict", resources=resources(GOOD), models=models)

    assert (code, err) == (0, "")


def test_a_collection_has_no_methods_that_look_misspelt(check):
    text = """
    from msframework import ModelResource, ModelSchema

    class Thing(Model):
        name = CharField()

    @things.collection("/", item="/<id:int>")
    class Things(ModelResource):
        schema = ModelSchema.of(Thing)
"""

    code, _, err = check("--strict", resources=resources(text))

    assert (code, err) == (0, "")


def test_metrics_of_debug_without_their_package_are_a_warning(check, monkeypatch):
    monkeypatch.setattr("msframework.metrics.exposition.find_spec", lambda name: None)

    code, _, said = check()

    assert code == 0
    assert "'prometheus-client' is not installed" in said


def test_a_scheme_that_a_provided_value_enforces_has_no_warning(check):
    settings = 'SECURITY_SCHEMES = {"bearer": {"type": "http", "scheme": "bearer"}}'
    text = GOOD.replace("self, request", "self, request, user")
    text += "    things.provide('user', lambda request: 1, security='bearer')\n"

    code, _, err = check("--strict", resources=resources(text), settings=settings)

    assert (code, err) == (0, "")


def test_files_of_tls_are_read(check, tmp_path):
    pair = Authority(tmp_path / "ca").issue(until=-DAY)
    settings = f"TLS_CERT = {pair.cert!r}\nTLS_KEY = {pair.key!r}"
    code, _, err = check(resources=resources(GOOD), settings=settings)
    assert code == 0
    assert "Warning: TLS_CERT: the certificate in" in err

    os.unlink(pair.key)
    code, _, err = check(resources=resources(GOOD), settings=settings)
    assert code == 1
    assert f"TLS_KEY: {pair.key!r} cannot be read (No such file or directory)" in err


def test_an_envelope_that_documents_what_it_writes_has_no_warnings(check):
    settings = 'ENVELOPE = "ANAPP.own.Own"'

    code, _, err = check("--strict", resources=resources(GOOD), own=ENVELOPE, settings=settings)

    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    "constraint",
    [
        "things_name_size",
        "things_pkey",
        "things_owner_id_fkey",
        "things_size_check",
        "thing_size_positive",
        "no_empty_name",
        "things_lower_name",
        "owner_name",
        "made_by_hand",
    ],
)
def test_a_constraint_that_a_model_or_a_migration_has_is_known(check, constraint):
    by_hand = 'def up(migrator, db):\n    db.execute_sql("CREATE INDEX made_by_hand ON things")\n'

    code, _, err = check(
        "--strict",
        resources=raising(constraint),
        models=MODELS,
        migrations__in__0001_initial=by_hand,
    )

    assert (code, err) == (0, "")


STAR = """
    from msframework.models import *
    from playhouse.postgres_ext import *
    from peewee import Model

    class UserAccount(Model):
        email = CharField(unique=True)
"""
ENVELOPE = """
    from msframework import DefaultEnvelope

    class Own(DefaultEnvelope):
        def error(self, facts):
            return {"reason": facts.message}

        def document_error(self, error):
            return {"type": "object", "properties": {"reason": {"type": "string"}}}

    class Base(Own):
        def error(self, facts):
            return {"why": facts.message}

    class Further(Base): ...
"""
TOLD = """
from msframework import Authenticator

class Token(Authenticator):
    scheme = {"type": "http", "scheme": "bearer"}

    async def authenticate(self, request): ...

AUTHENTICATORS = {"token": Token()}
"""
MANY = """
    @things.resource("/")
    class Things(Resource):
        async def get(self, request): ...
        async def post(self, request): ...
        async def delete(self, request): ...

    @things.resource("/<id:int>")
    class Thing(Things):
        async def get(self, request, id): ...
        async def post(self, request, id): ...
        async def delete(self, request, id): ...

    @things.get("/public")
    @doc.public
    async def public(request): ...
"""
WARNINGS = {
    "an envelope whose error is not documented": (
        {
            "resources": resources(GOOD),
            "own": ENVELOPE,
            "settings": 'ENVELOPE = "ANAPP.own.Further"',
        },
        ("own.Further writes `error` itself and inherits `document_error`",),
    ),
    "an envelope of a Resource whose data is not documented": (
        {
            "resources": resources("""
    from msframework import DefaultEnvelope

    class Own(DefaultEnvelope):
        def around_data(self):
            return b'{"result":', b"}"

    @things.resource("/")
    class Things(Resource):
        envelope = Own

        async def get(self, request): ...
    """)
        },
        ("resources.Own writes `around_data` itself and inherits `document_data`",),
    ),
    "a constraint that nothing has": (
        {"resources": raising("things_nmae_size"), "models": MODELS},
        ("resources.py:", "Things.post", "'things_nmae_size'", "Did you mean 'things_name_size'?"),
    ),
    "a model that playhouse replaced": (
        {"resources": resources(GOOD), "models": STAR},
        ("models.UserAccount derives from peewee.Model", "msframework.models.Model"),
    ),
    "an index that is called otherwise": (
        {"resources": raising("user_account_email"), "models": STAR},
        ("'user_account_email'", "Did you mean 'useraccount_email'?"),
    ),
    "a misspelt method": (
        {
            "resources": resources("""
    @things.resource("/")
    class Things(Resource):
        async def get(self, request): ...
        async def pst(self, request): ...
    """)
        },
        ("Things.pst: nothing calls it", "was 'post' meant?"),
    ),
    "a blueprint in a module that nothing reads": (
        {"resources": resources(GOOD), "endpoints": RESOURCES.replace('"things"', '"others"')},
        ("endpoints.py:5: nothing reads the blueprint 'things'", "ANAPP.resources and ANAPP.views"),
    ),
    "a blueprint in a module that is imported only": (
        {
            "resources": "from ANAPP import more\n" + resources(GOOD),
            "more": "import msframework\n\nothers: object = msframework.Blueprint('others')\n",
        },
        ("more.py:3: nothing reads the blueprint 'others'",),
    ),
    "two exceptions with one code": (
        {
            "resources": "from ANAPP.errors import One\n" + resources(GOOD),
            "errors": """
    from msframework import Conflict, NotFound

    class One(Conflict):
        code = 7001

    class Other(NotFound):
        code = 7001
    """,
        },
        ("errors.One and ANAPP.errors.Other share the code 7001",),
    ),
    "operations that are neither guarded nor public": (
        {"resources": resources(MANY), "settings": TOLD},
        (
            "6 routes are neither guarded nor public",
            "GET /things (",
            "resources.py:9 Things.get)",
            ", and 1 more. Guard them",
        ),
    ),
    "guards that nobody can pass": (
        {
            "resources": "from msframework import AnyScope, Scopes\n"
            + resources("""
    @things.resource("/")
    class Things(Resource):
        guards = (Scopes("a", "b"),)

        @doc.guards(~AnyScope("b", "c"))
        async def get(self, request): ...
    """),
            "settings": TOLD,
        },
        ("Things.get: nobody can pass its guards (scopes: a b, not any scope of: b c).",),
    ),
    "a secret in a settings module": (
        {"resources": resources(GOOD), "settings": 'DEBUG = False\n_JWT_SECRET = "s3cret"'},
        ("_settings.py:4: the value of _JWT_SECRET stands in the source",),
    ),
}


@pytest.mark.parametrize("name", WARNINGS)
@pytest.mark.parametrize("strict", [False, True])
def test_what_is_probably_not_meant_is_a_warning(check, name, strict):
    files, said = WARNINGS[name]

    code, out, err = check(*(("--strict",) if strict else ()), **files)

    assert code == int(strict), err
    assert "1 warning." in out or "2 warnings." in out
    for part in said:
        assert part.replace("ANAPP", "advised_") in err.replace(_app_of(out), "advised_"), err


def _app_of(out):
    return out.partition("_settings")[0].splitlines()[-1]


MISTAKES = {
    "a provider with further parameters": (
        {"resources": resources(GOOD + "    things.provide('user', lambda request, bd: 1)\n")},
        ("blueprint 'things'.provide('user', …)", "takes 'bd'", "db, principal, tx, user"),
    ),
    "a provider that is a value": (
        {"resources": resources(GOOD + "    things.provide('user', 5)\n")},
        ("got 5, which cannot be called",),
    ),
    "a provider that is a generator": (
        {
            "resources": resources("""
    @things.resource("/")
    class Things(Resource):
        async def get(self, request, user): ...

    def user(request):
        yield 1

    things.provide("user", user)
    """)
        },
        ("resources.py:11 user; expected a function that returns the value",),
    ),
    "capitals": (
        {
            "resources": resources("""
    @things.resource("/")
    class Things(Resource):
        async def get(self, request): ...
        async def POST(self, request): ...
    """)
        },
        ("Things.POST: nothing calls it, as 'POST' is in capitals",),
    ),
    "a HEAD of one's own": (
        {
            "resources": resources("""
    @things.resource("/")
    class Things(Resource):
        async def get(self, request): ...
        async def head(self, request): ...
    """)
        },
        ("Things.head: nothing calls it",),
    ),
    "an annotation that is a text": (
        {
            "resources": "from __future__ import annotations\n"
            + resources("""
    @things.resource("/<id>")
    class Things(Resource):
        async def get(self, request, id: int): ...
    """)
        },
        ("Things.get", "'id' is annotated int, but <id:str>", "write <id:int>"),
    ),
    "parentheses that are missing": (
        {
            "resources": resources("""
    @things.resource("/")
    class Things(Resource):
        @doc.produces
        async def get(self, request): ...
    """)
        },
        (
            "Error: ",
            "resources.py:9 Things.get: @doc.produces is written",
            "Write @doc.produces(…).\n",
        ),
    ),
    "an exception at import": (
        {"resources": "from ANAPP.deep import x\n", "deep": "import json\n\njson.loads('{')\n"},
        ("resources cannot be imported: JSONDecodeError", "deep.py:3: json.loads"),
    ),
    "a chain of exceptions at import": (
        {
            "resources": """
    try:
        {}["a"]
    except KeyError as exc:
        raise ValueError("no a") from exc
    """
        },
        ("ValueError: no a (", "resources.py:5: raise", ", from KeyError: 'a'"),
    ),
    "an exception in the app's own module": (
        {"__init__": "import no_such_library\n", "resources": resources(GOOD)},
        (
            "cannot be imported: ModuleNotFoundError: No module named 'no_such_library'",
            "py:1: import no_such",
        ),
    ),
    "a syntax error": (
        {"resources": "import json\ndef f(:\n"},
        ("cannot be imported: SyntaxError", "resources.py:2: "),
    ),
    "an exit at import": (
        {"resources": "import sys\nsys.exit(3)\n"},
        ("cannot be imported: SystemExit: 3 (", "resources.py:2: "),
    ),
    "an exception in the function of CONFIGURE": (
        {
            "resources": resources(GOOD),
            "setup": "def configure(service):\n    service.nothing()\n",
            "settings": 'CONFIGURE = "ANAPP.setup.configure"\n',
        },
        ("CONFIGURE: 'ANAPP.setup.configure' failed: AttributeError", "setup.py:2: "),
    ),
    "an exception in the module of CONFIGURE": (
        {
            "resources": resources(GOOD),
            "setup": "x = 1 / 0\n",
            "settings": 'CONFIGURE = "ANAPP.setup.configure"\n',
        },
        ("CONFIGURE: 'ANAPP.setup.configure': ZeroDivisionError", "setup.py:1: x = 1 / 0)"),
    ),
    "a migration that cannot be read": (
        {"resources": resources(GOOD), "migrations__in__0001_initial": "up = 5\n"},
        ("0001_initial.py: up is no function. Write def up(migrator, db).",),
    ),
    "a migration that fails": (
        {"resources": resources(GOOD), "migrations__in__0001_initial": "x = 1 / 0\n"},
        ("0001_initial.py:1: ZeroDivisionError: division by zero",),
    ),
    "models that fail": (
        {"resources": resources(GOOD), "models": "x = 1 / 0\n"},
        ("models cannot be imported: ZeroDivisionError", "models.py:1: x = 1 / 0)"),
    ),
    "a path of one's own where the documents are": (
        {
            "resources": resources("""
    @things.get("/docs")
    async def taken(request): ...

    things.url_prefix = ""
    """)
        },
        ("GET /docs is taken by", "resources.py:"),
    ),
    "an authenticator that refuses its key": (
        {
            "resources": resources(GOOD),
            "auth": "from msframework import ImproperlyConfigured\n"
            "raise ImproperlyConfigured('its key has 3 bytes; expected 32')\n",
            "settings": 'AUTHENTICATORS = {"token": "ANAPP.auth.token"}\n',
        },
        ("AUTHENTICATORS['token']: 'ANAPP.auth.token': its key has 3 bytes; expected 32",),
    ),
    "a scheme that nothing enforces": (
        {
            "resources": resources("""
    @things.resource("/")
    class Things(Resource):
        @doc.security("token")
        async def get(self, request): ...
    """),
            "settings": 'SECURITY_SCHEMES = {"token": {"type": "http", "scheme": "bearer"}}\n',
        },
        ("Things.get: @doc.security names 'token', and nothing enforces that",),
    ),
    "a guard without an authenticator": (
        {
            "resources": "from msframework import Authenticated\n"
            + resources("""
    @things.get("/")
    @doc.guards(Authenticated())
    async def get(request): ...
    """)
        },
        ("nobody can pass its guards Authenticated(), as there is no authenticator",),
    ),
    "a logging configuration that is refused": (
        {"resources": resources(GOOD), "settings": 'LOGGING_CONFIG = "/dev/null"\n'},
        ("LOGGING_CONFIG",),
    ),
    "routes of one name": (
        {
            "resources": resources("""
    @things.get("/a")
    async def same(request): ...

    @things.get("/b")
    @doc.operation_id("other")
    async def same(request): ...
    """)
        },
        ("its route is called", "name=…"),
    ),
    "two exceptions for one constraint": (
        {
            "resources": resources("""
    @things.get("/a")
    @doc.raises(Conflict, Conflict, constraint="x")
    async def same(request): ...
    """)
        },
        ("several exceptions for the constraint 'x'",),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_cannot_be_right_is_a_mistake(check, name, monkeypatch, tmp_path):
    files, said = MISTAKES[name]
    monkeypatch.chdir(tmp_path)

    code, out, err = check(**files)

    assert code == 1, out
    for part in said:
        assert part.replace("ANAPP", _newest(tmp_path)) in err, err


def _newest(folder):
    names = [name for name in os.listdir(folder) if name.count("_") == 1]
    return max(names, key=lambda name: int(name.split("_")[1]))


def test_the_cause_of_a_failed_import_is_chained(check):
    code, _, err = check("--traceback", resources="x = {}['a']\n")

    assert code == 1
    assert "resources.py\", line 1, in <module>\n    x = {}['a']" in err
    assert "direct cause" in err


@pytest.mark.parametrize("indexes", ['((("nme", "size"), True),)', '(("name", "size"), True)'])
def test_indexes_that_cannot_be_read_are_a_mistake_of_the_model(check, indexes):
    models = f"""
    from msframework.models import CharField, IntegerField, Model


    class Thing(Model):
        name = CharField()
        size = IntegerField()

        class Meta:
            indexes = {indexes}
    """

    code, _, err = check(resources=RESOURCES, models=models)

    assert code == 1
    assert "models.Thing: its Meta.indexes cannot be read: there is no field" in err
