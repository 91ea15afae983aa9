import pytest

from msframework.conf.url import database_fault, http_fault, place_of


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cr@et@db/name",
        "postgresql://u:s3cr/et@db/name",
        "postgresql://u:s3cr@et/s3cret@db/name",
        "postgresql://u:s3cr?et@db/name",
        "postgresql://u:s3cr#et@db/name",
        "postgresql://u:12/s3cret@db/name",
        "postgresql://s3cr@et:pw@db/name",
        "postgresql://u:s3cret@[db/name",
        "u:s3cret@db/name",
    ],
)
def test_a_password_that_is_not_encoded_is_refused_and_not_shown(url):
    fault = database_fault(url)

    assert fault is not None
    for part in ("s3cr", "et@", "u:"):
        assert part not in fault


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://u:p%40ss@db/name", "db:5432, database 'name'"),
        ("postgresql://u@db:6432/name?application_name=a@b", "db:6432, database 'name'"),
        ("postgresql:///name?host=/run/pg", "/run/pg, database 'name'"),
        ("postgresql://u:p@[::1]/", "::1:5432, database 'u'"),
        ("postgres://", "localhost:5432, database ''"),
    ],
)
def test_what_is_right_is_taken_and_its_place_is_told(url, place):
    assert database_fault(url) is None
    assert place_of(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "http://a/?token=s3cret",
        "http://a/#s3cret",
        "ftp://a/?x=s3cret",
        "a?s3cret",
        "http://u:s3cret@a",
        "x://u:s3cret@a",
    ],
)
def test_no_query_and_no_password_of_a_service_is_shown(url):
    assert "s3cret" not in (http_fault(url) or pytest.fail("it is none"))
