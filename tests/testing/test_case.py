"""`APITestCase`, run by unittest as a user's test case would be."""

import unittest
from types import SimpleNamespace

import pytest
import ujson

from msframework.app import create_app
from msframework.conf.settings import ServiceEntry
from msframework.testing import APITestCase, plugin
from tests.conftest import with_settings


def run(case):
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    return result


@pytest.fixture
def app(server_url, shop):
    return create_app(
        with_settings(
            installed_apps=(shop,),
            database={"url": server_url},
            services={"regions": ServiceEntry("regions", "http://regions:8000")},
        )
    )


def test_a_case_keeps_the_template_of_its_database_where_pytest_is_told_to(app, monkeypatch):
    class Made(Exception):
        """Enough is known."""

    class TestCase(APITestCase):
        _app = app

    def make(settings, **options):
        made.append(options)
        raise Made

    made = []
    make.wanted = lambda settings: True
    monkeypatch.setattr("msframework.testing.case.TestDatabase", make)
    given = {"reuse_db": True, "create_db": True}
    config = SimpleNamespace(getoption=lambda name, default: given[name])
    items = [SimpleNamespace(), SimpleNamespace(cls=Made), SimpleNamespace(cls=TestCase)]

    plugin.pytest_collection_modifyitems(config, items)
    with pytest.raises(Made):
        TestCase.setUpClass()
    TestCase.doClassCleanups()

    assert made == [{"reuse": True, "anew": True}]
    assert not APITestCase._reuse_db


def test_a_case_calls_the_app_with_its_services_mocked(app):
    class TestCase(APITestCase):
        _app = app
        _blueprint = "items"

        def setUp(self):
            super().setUp()
            self._mock.get("/cities/1", payload={"id": 1, "name": "shanghai"})
            self._mock.get("/roles/1", payload={"id": 1, "name": "admin"})

        def test_create(self):
            res = self.client.create_item(data={"name": "test"})
            assert (res.status, ujson.loads(res.text)) == (201, {"code": 0, "data": {"id": 1}})
            assert self.client.count_items().json()["data"] == 1
            assert "201" in repr(res)

        def test_create_again(self):
            assert self.client.create_item(data={"name": "test"}).json()["data"]["id"] == 1

        def test_other_services(self):
            assert self.client.get_city(id=1).json()["data"]["name"] == "shanghai"
            assert self.client.get_role(id=1).json()["data"]["name"] == "admin"
            assert [call.service for call in self._mock.calls] == ["regions", "host"]

        def test_paths(self):
            for method in ("put", "patch", "delete", "head"):
                res = getattr(self.client, method)("/items/")
                assert res.status == (200 if method == "head" else 405)
            assert self.client.options("/items/").status == 204
            assert self.client.get("/items/", params={"a": 1}).status == 200
            assert self.client.post("/items/", data={"name": "a"}).status == 201

        def test_unknown(self):
            with pytest.raises(AttributeError):
                self.client.nothing()
            with pytest.raises(AttributeError):
                _ = self.client._nothing

    for _ in range(2):
        result = run(TestCase)
        assert (result.testsRun, result.failures, result.errors) == (5, [], [])
    assert app.clients["regions"].address.base == "http://regions:8000"


def test_an_unexpected_call_fails_the_test_and_is_named(app):
    class TestCase(APITestCase):
        _app = app

        def test_city(self):
            self.client.get_city(id=7)

    result = run(TestCase)

    ((_, text),) = result.failures
    assert "unexpected call to another service:\n  GET /cities/7 of regions" in text


def test_an_app_without_database_has_none(service):
    class TestCase(APITestCase):
        _app = service
        _blueprint = "visit"

        def test_resource(self):
            assert self.client.Thing.get(id=3).json()["data"] == {"id": 3}

        def test_operation_of_another_blueprint(self):
            assert self.client.get_visit().json()["data"] == "other"

    assert run(TestCase).errors == []


def test_a_plain_sanic_app_is_served_too():
    from sanic import Sanic, response

    app = Sanic("plain", configure_logging=False)
    app.config.AUTO_EXTEND = False

    @app.get("/")
    async def index(request):
        return response.json([1])

    class TestCase(APITestCase):
        _app = app

        def test_index(self):
            assert self.client.get("/").json() == [1]

    assert run(TestCase).errors == []


def test_a_case_without_an_app_says_so():
    class TestCase(APITestCase):
        def test_nothing(self):
            pass

    ((_, text),) = run(TestCase).errors

    assert "set _app to the app that is tested" in text
