"""Clients that generators make of the document, each on one round trip against a real service.

Create, list, read, patch, conflict, invalid, delete: `tests/acceptance/clients/` holds one program
for each generator. What is fetched for that is in `tests/acceptance/tools.py`.
"""

import json
import shutil
from pathlib import Path

import pytest

from tests.acceptance import tools
from tests.acceptance.tools import run
from tests.console import ROOT, environment
from tests.processes import ServerProcess, bearer_token, fresh_database

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

PROGRAMS = Path(__file__).with_name("clients")
TYPESCRIPT = {
    "compilerOptions": {
        "strict": True,
        "target": "ES2022",
        "module": "CommonJS",
        "moduleResolution": "node10",
        "ignoreDeprecations": "5.0",
        "esModuleInterop": True,
        "skipLibCheck": True,
        "lib": ["ES2022", "DOM", "DOM.Iterable"],
        "types": ["node"],
        "outDir": "out",
    },
    "files": ["main.ts"],
}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Start the example apps as one process; yield the base URL."""
    log = tmp_path_factory.mktemp("service") / "log"
    with fresh_database("generators") as url:
        env = {"SANIC_CONFIG_MODULE": "settings.test", "DATABASE_URL": url, "AUTO_MIGRATE": "true"}
        with ServerProcess(log, **env) as server:
            yield server.url


@pytest.fixture
def document(tmp_path):
    """Return a function that writes the document of the example apps in one version."""

    def write(version):
        place = tmp_path / "openapi.json"
        env = environment(OPENAPI_VERSION=version)
        command = ("manage.py", "openapi", "--settings", "settings.test", "--output", str(place))
        run(shutil.which("python", path=env["PATH"]), *command, cwd=ROOT, **env)
        return place

    return write


def generate(jar, name, document, target, *options):
    """Run openapi-generator."""
    java = tools.installed("java")
    command = ["-jar", jar, "generate", "-g", name, "-i", document, "-o", target, *options]
    return run(java, *command, cwd=target.parent)


def run_client(*command, cwd, **env):
    """Run the program of a client, as somebody who may write roles."""
    run(*command, cwd=cwd, TOKEN=bearer_token("roles:write"), **env)


def compile_and_run(folder, modules, program, url):
    """Compile *program* beside what was generated, strictly, and run it."""
    (folder / "main.ts").write_text(program)
    (folder / "node_modules").symlink_to(modules)
    (folder / "tsconfig.json").write_text(json.dumps(TYPESCRIPT))
    run(modules / ".bin" / "tsc", "-p", folder, cwd=folder)
    run_client(tools.installed("node"), folder / "out" / "main.js", url, cwd=folder)


@pytest.mark.parametrize("version", ["3.1", "3.0"])
def test_openapi_python_client(service, document, tmp_path, version):
    programs = tools.python_programs()
    target = tmp_path / "roles_client"
    options = ["--output-path", target, "--meta", "none"]

    said = run(
        programs / "openapi-python-client",
        "generate",
        "--path",
        document(version),
        *options,
        cwd=tmp_path,
        PATH=environment()["PATH"],  # ruff is there
    )

    assert "warning" not in said.lower()
    program = PROGRAMS / "openapi_python_client.py"
    run_client(programs / "python", program, service, cwd=tmp_path, PYTHONPATH=str(tmp_path))


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_openapi_generator_python(service, document, tmp_path, version):
    jar, programs = tools.generator_jar(), tools.python_programs()
    target = tmp_path / "made"

    generate(jar, "python", document(version), target, "--package-name", "roles_client")

    program = PROGRAMS / "openapi_generator.py"
    run_client(programs / "python", program, service, cwd=tmp_path, PYTHONPATH=str(target))


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_openapi_generator_typescript_fetch(service, document, tmp_path, version):
    jar, modules = tools.generator_jar(), tools.node_modules()

    generate(jar, "typescript-fetch", document(version), tmp_path / "client")

    program = (PROGRAMS / "typescript_fetch.ts").read_text()
    if version == "2.0":  # a body has no name of its own there
        program = program.replace("roleIn:", "body:").replace("rolePatch:", "body:")
    compile_and_run(tmp_path, modules, program, service)


@pytest.mark.parametrize("version", ["3.1", "3.0"])
def test_openapi_typescript(service, document, tmp_path, version):
    tools.installed("node")
    modules = tools.node_modules()
    program = modules / ".bin" / "openapi-typescript"

    run(program, document(version), "-o", tmp_path / "schema.ts", cwd=tmp_path)

    program = (PROGRAMS / "openapi_typescript.ts").read_text()
    compile_and_run(tmp_path, modules, program, service)


@pytest.mark.parametrize("version", ["3.1", "3.0"])
def test_oapi_codegen(service, document, tmp_path, version):
    program, go = tools.oapi_codegen(), tools.installed("go")
    options = ["-generate", "types,client", "-package", "main", "-o", tmp_path / "client.go"]

    run(program, *options, document(version), cwd=tmp_path)

    shutil.copy(PROGRAMS / "oapi_codegen.go", tmp_path / "main.go")
    run(go, "mod", "init", "roundtrip", cwd=tmp_path)
    run(go, "get", f"github.com/oapi-codegen/runtime@{tools.OAPI_RUNTIME}", cwd=tmp_path)
    run(go, "mod", "tidy", cwd=tmp_path)
    run_client(go, "run", ".", service, cwd=tmp_path)
