import pytest

from msframework.conf.url import http_fault


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
