"""Chapter Config: the settings module that the environment names."""

import aiohttp
import pytest

from msframework import create_app
from tests.origin.support import run


@pytest.mark.origin(
    "Config, code 1", "设置配置文件和Django相似，通过设置环境变量值SANIC_CONFIG_MODULE"
)
async def test_the_service_reads_the_exported_module_from_any_directory(process):
    assert not (process.cwd / "mysite").exists()

    async with aiohttp.ClientSession() as session:
        async with session.get(f"{process.url}/openapi/spec.json") as response:
            document = await response.json()

    assert document["info"]["title"] == "USER API"


@pytest.mark.origin("设置配置文件和Django相似，通过设置环境变量值SANIC_CONFIG_MODULE")
def test_another_module_gives_other_settings(mysite, monkeypatch):
    (mysite.root / "mysite" / "small.py").write_text(
        "from mysite.configs import *\nAPP_ID = 'small'\nPORT = 8123\n"
    )
    monkeypatch.setenv("SANIC_CONFIG_MODULE", "mysite.small")

    settings = create_app().settings

    assert (settings.service_name, settings.server.port) == ("small", 8123)
    assert settings.database.url == mysite.url


@pytest.mark.origin("设置配置文件和Django相似，通过设置环境变量值SANIC_CONFIG_MODULE")
def test_manage_py_reads_the_same_variable(mysite, tmp_path):
    done = run(
        mysite.root, "python", str(mysite.root / "manage.py"), "check", "--verbose", cwd=tmp_path
    )

    assert done.returncode == 0, done.stderr
    assert "user-service" in done.stdout
