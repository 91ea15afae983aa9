"""Chapter Unittest: the test case as printed, mocks of other services, and the reports."""

import xml.etree.ElementTree as ET

import pytest

from tests.origin.patches import COVERAGE, patched
from tests.origin.project import write_project
from tests.origin.support import run

EXAMPLE = "Unittest, code 1"
MOCK = "在setUp函数中，使用_mock来注册mock信息, 这样就不会访问真实的服务器, payload为返回的body信息"
CLIENT = "使用client变量调用各个函数, data为body信息，params为路径的参数信息，其他参数是route的参数"
REPORTS = "coverage2colver 是将coverage.xml 转换成 clover.xml，bamboo需要的格式是clover的。"
MORE_TESTS = """\
import ujson
from msframework.exceptions import NotFound
from msframework.testing import APITestCase
from service.server import app

PERSON = {'name': 'test', 'age': 2, 'sex': 'male', 'city_id': 1, 'role_id': 1}


class MockTest(APITestCase):
    _app = app
    _blueprint = 'user'

    def relay(self, method):
        return ujson.loads(self.client.relay(method=method).text)

    def test_each_method(self):
        for method in ('get', 'post', 'put', 'patch', 'delete', 'options'):
            with self.subTest(method):
                getattr(self._mock, method)('/things', payload={'by': method})
                said = self.relay(method)['data']
                self.assertEqual(ujson.loads(said['text']), {'by': method})

    def test_status_body_and_headers(self):
        self._mock.get('/things', status=202, body='as it is', headers={'X-Own': 'yes'})
        said = self.relay('get')['data']
        self.assertEqual(said, {'status': 202, 'text': 'as it is', 'own': 'yes'})

    def test_exception_of_a_service(self):
        self._mock.get('/things', exception=NotFound(error='no such thing'))
        said = self.relay('get')['data']
        self.assertEqual(said['status'], 404)
        self.assertIn('no such thing', said['text'])

    def test_exception_on_the_way(self):
        self._mock.get('/things', exception=ConnectionError)
        self.assertEqual(self.client.relay(method='get').status, 503)

    def test_address_of_a_service(self):
        self._mock.get('http://127.0.0.1:9/things', payload=1)
        self.assertEqual(self.relay('get')['data']['text'], '1')


class ClientTest(APITestCase):
    _app = app
    _blueprint = 'user'

    def setUp(self):
        super().setUp()
        self._mock.get('/cities/1', payload={'id': 1, 'name': 'shanghai'})
        self._mock.get('/roles/1', payload={'id': 1, 'name': 'editor'})

    def test_arguments_of_the_route(self):
        created = ujson.loads(self.client.create_user(data=PERSON).text)
        res = self.client.get_users_list(id=created['data']['id'])
        body = ujson.loads(res.text)
        self.assertEqual(body['data']['city_id'], {'id': 1, 'name': 'shanghai'})
        self.assertEqual(body['data']['role_id'], {'id': 1, 'name': 'editor'})

    def test_params_are_the_query(self):
        for sex in ('male', 'female', 'female'):
            self.client.create_user(data={**PERSON, 'sex': sex})
        res = self.client.list_users(params={'sex': 'female'})
        self.assertEqual([each['sex'] for each in ujson.loads(res.text)['data']], ['female'] * 2)

    def test_nothing_is_left_of_other_tests(self):
        self.assertEqual(ujson.loads(self.client.list_users().text)['data'], [])

    def test_a_wrong_argument_is_named(self):
        with self.assertRaisesRegex(TypeError, r"parameters \\['id'\\], got \\['no'\\]"):
            self.client.get_users_list(no=1)


class OtherBlueprintTest(APITestCase):
    _app = app
    _blueprint = 'visit'

    def test_an_operation_of_the_blueprint(self):
        self.assertEqual(self.client.del_user(id=1).status, 500)

    def test_an_unknown_one_is_named(self):
        with self.assertRaisesRegex(AttributeError, "'visit' has no operation 'nope'"):
            self.client.nope()
"""
FAILING_TEST = """\
from tests.test_more import PERSON, APITestCase, app


class UnexpectedTest(APITestCase):
    _app = app
    _blueprint = 'user'

    def test_unexpected(self):
        self._mock.get('/roles/1', payload={'id': 1, 'name': 'editor'})
        self.client.create_user(data=PERSON)
        self.client.get_users_list(id=1)
"""
PRINTED = {"test_create_user"}
MORE = {line.split("(")[0].split()[1] for line in MORE_TESTS.splitlines() if "def test_" in line}


@pytest.fixture
def root(tmp_path, url):
    """The project with more tests than the document prints."""
    root = write_project(tmp_path / "project", url)
    (root / "tests" / "__init__.py").touch()
    (root / "tests" / "test_more.py").write_text(MORE_TESTS)
    return root


def cases(path):
    """Return the names of the test cases in a junit file, with what failed of each."""
    return {
        case.get("name"): [failure.get("message") for failure in case.iter("failure")]
        for case in ET.parse(path).iter("testcase")
    }


@pytest.mark.acceptance
@pytest.mark.origin(EXAMPLE, "其中_blueprint为blueprint名称", MOCK, CLIENT)
def test_plain_pytest_runs_the_test_as_printed_and_more(root, query):
    done = run(root, "python", "-m", "pytest", "-p", "no:cacheprovider", "--junitxml=junit.xml")

    assert done.returncode == 0, done.stdout + done.stderr
    assert cases(root / "junit.xml") == {name: [] for name in PRINTED | MORE}
    # The tests had a database of their own, and it is gone.
    assert query("SELECT to_regclass('users')") == [(None,)]
    assert query("SELECT count(*) FROM pg_database WHERE datname LIKE '%_test_%'") == [(0,)]


@pytest.mark.origin(
    EXAMPLE, "单元测试使用unittest", "使用unittest做单元测试，并且使用mock来避免访问其他微服务。"
)
def test_unittest_itself_runs_it(root):
    done = run(root, "python", "-m", "unittest", "-v", "tests.test_users")

    assert done.returncode == 0, done.stderr
    assert "test_create_user" in done.stderr
    assert "Ran 1 test" in done.stderr


@pytest.mark.origin(MOCK, "使用unittest做单元测试，并且使用mock来避免访问其他微服务。")
def test_an_unexpected_call_fails_the_test_and_is_named(root):
    (root / "tests" / "failing.py").write_text(FAILING_TEST)

    done = run(root, "python", "-m", "pytest", "tests/failing.py", "--junitxml=junit.xml")

    assert done.returncode == 1, done.stdout + done.stderr
    (message,) = cases(root / "junit.xml")["test_unexpected"]
    assert "unexpected call to another service:\n  GET /cities/1 of 127.0.0.1" in message
    assert "declared: GET /roles/1" in message


@pytest.mark.acceptance
@pytest.mark.origin("Unittest, code 2", REPORTS)
def test_the_commands_for_coverage_work_as_printed(root):
    (root / "tests" / "test_more.py").unlink()
    done = run(root, "bash", "-e", "-c", patched(COVERAGE))

    assert done.returncode == 0, done.stdout + done.stderr
    reports = root / "reports"
    assert (reports / "index.html").exists()
    covered = {each.get("filename") for each in ET.parse(reports / "coverage.xml").iter("class")}
    assert "service/users.py" in covered
    clover = ET.parse(reports / "clover.xml").getroot()
    assert clover.tag == "coverage"
    assert clover.find("project/metrics") is not None


@pytest.mark.origin(REPORTS, "单元测试使用unittest")
def test_manage_py_test_writes_all_reports(root):
    (root / "tests" / "test_more.py").unlink()

    done = run(root, "python", "manage.py", "test", "-p", "no:cacheprovider")

    assert done.returncode == 0, done.stdout + done.stderr
    reports = root / "reports"
    assert cases(reports / "junit.xml") == {name: [] for name in PRINTED}
    assert (reports / "html" / "index.html").exists()
    for name in ("coverage.xml", "clover.xml"):
        assert ET.parse(reports / name).getroot().tag == "coverage"
