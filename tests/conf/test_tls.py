"""The checks of certificates and keys: each mistake by its setting, and nothing of a file shown."""

import os
import shutil
from pathlib import Path

import pytest

from msframework.conf.settings import ServiceEntry
from msframework.conf.tls import check_files, find_warnings
from msframework.exceptions import ImproperlyConfigured
from tests.certificates import DAY, Authority
from tests.conftest import with_settings


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pair(authority):
    return authority.issue()


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a file, and returns its path."""

    def write(content):
        path = tmp_path / "file.pem"
        path.write_bytes(content)
        return str(path)

    return write


def fault_of(**tls):
    """Return the one mistake that is found."""
    with pytest.raises(ImproperlyConfigured) as caught:
        check_files(with_settings(tls=tls))
    (problem,) = caught.value.problems
    assert "-----" not in problem
    assert "MII" not in problem  # as PEM begins
    return str(problem)


def test_right_files_are_no_mistake(authority, pair):
    entry = ServiceEntry("a", "https://a", ca=authority.ca, cert=pair.cert, key=pair.key)
    tls = {"cert": pair.cert, "key": pair.key, "client_ca": authority.ca}

    check_files(with_settings(tls=tls, services={"a": entry}))
    check_files(with_settings())
    assert list(find_warnings(with_settings(tls=tls, services={"a": entry}))) == []


def test_a_key_before_its_certificate_in_one_file_will_do(pair, file):
    both = file(Path(pair.key).read_bytes() + Path(pair.cert).read_bytes())

    check_files(with_settings(tls={"cert": both, "key": both}))


@pytest.mark.parametrize("name", ["cert", "key", "client_ca"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b" \n", "is empty"),
        (b"\x30\x82\x01", "is in DER"),
        (b"word", "is no PEM"),
        (b"-----BEGIN DH PARAMETERS-----\nMII\n", "holds a dh parameters"),
        (b"x" * 4_000_001, "is too large"),
    ],
    ids=["missing", "empty", "der", "text", "other", "large"],
)
def test_a_file_of_another_kind_is_named(name, content, said, authority, pair, file, tmp_path):
    path = str(tmp_path / "none.pem") if content is None else file(content)
    files = {"cert": pair.cert, "key": pair.key, "client_ca": authority.ca, name: path}

    problem = fault_of(**files)

    assert problem.startswith(f"TLS_{name.upper()}: {path!r} {said}")
    assert "; expected " in problem


@pytest.mark.parametrize("name", ["cert", "key", "client_ca"])
def test_a_folder_and_a_pipe_are_no_files(name, authority, pair, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (str(tmp_path), str(tmp_path / "pipe")):
        files = {"cert": pair.cert, "key": pair.key, "client_ca": authority.ca, name: path}
        assert "is no file" in fault_of(**files)


def test_a_nul_in_a_path_is_a_mistake(pair):
    assert "NUL" in fault_of(cert=pair.cert, key="a\0b")


def test_a_key_and_a_certificate_in_each_others_place_are_named(pair):
    with pytest.raises(ImproperlyConfigured) as caught:
        check_files(with_settings(tls={"cert": pair.key, "key": pair.cert}))

    first, second = caught.value.problems
    assert "holds a private key; expected certificates in PEM" in first
    assert "holds a certificate; expected a private key in PEM" in second


def test_a_key_of_another_certificate_is_named(authority, pair):
    problem = fault_of(cert=pair.cert, key=authority.issue("other").key)

    assert problem.startswith("TLS_KEY: the key in ")
    assert "is not that of the first certificate" in problem


def test_a_broken_certificate_is_named(pair, file):
    broken = file(b"-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")

    assert fault_of(cert=broken, key=pair.key).startswith("TLS_CERT: OpenSSL cannot read")


def test_a_broken_key_is_named(pair, file):
    broken = file(b"-----BEGIN PRIVATE KEY-----\nnothing\n-----END PRIVATE KEY-----\n")

    assert fault_of(cert=pair.cert, key=broken).startswith("TLS_KEY: OpenSSL cannot use the key")


def test_a_key_in_the_format_of_openssh_is_named(pair, file):
    path = file(b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n")

    assert "OpenSSH's own format" in fault_of(cert=pair.cert, key=path)


def test_an_encrypted_key_needs_its_password(authority):
    locked = authority.issue("locked", password="open sesame")
    files = {"cert": locked.cert, "key": locked.key}

    assert "is encrypted; expected its password. Set TLS_KEY_PASSWORD." in fault_of(**files)
    problem = fault_of(**files, key_password="open barley")
    assert "TLS_KEY_PASSWORD does not decrypt the key" in problem
    assert "barley" not in problem
    check_files(with_settings(tls={**files, "key_password": "open sesame"}))


def test_an_entry_of_services_names_its_key(authority):
    locked = authority.issue("locked", password="open sesame")
    entry = ServiceEntry("a", "https://a", cert=locked.cert, key=locked.key)
    with pytest.raises(ImproperlyConfigured) as caught:
        check_files(with_settings(services={"a": entry}))

    assert "SERVICES['a']['key']: the key in" in str(caught.value)


def test_a_certificate_that_is_out_of_date_is_a_warning(authority):
    late = authority.issue("late", until=-DAY)
    early = authority.issue("early", since=DAY, until=2 * DAY)

    (said,) = find_warnings(with_settings(tls={"cert": late.cert, "key": late.key}))
    assert "TLS_CERT: the certificate in" in said
    assert "expired on " in said
    (said,) = find_warnings(with_settings(tls={"cert": early.cert, "key": early.key}))
    assert "is valid from " in said


def test_a_key_that_everybody_can_read_is_a_warning(pair, tmp_path):
    key = tmp_path / "open.key"
    shutil.copyfile(pair.key, key)
    key.chmod(0o644)

    (said,) = find_warnings(with_settings(tls={"cert": pair.cert, "key": str(key)}))
    assert said.startswith("TLS_KEY: everybody on this machine can read")
    key.chmod(0o640)
    assert list(find_warnings(with_settings(tls={"cert": pair.cert, "key": str(key)}))) == []
