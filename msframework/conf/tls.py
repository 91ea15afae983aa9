"""Checks of the certificate and key files that settings name. Runs at start-up.

They are in PEM (RFC 7468). No message shows the contents of a file.
"""

from __future__ import annotations

import os
import re
import ssl
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from msframework._imports import exists
from msframework.conf.settings import ServiceEntry, Settings, TLSSettings
from msframework.exceptions import ImproperlyConfigured
from msframework.problem import Problem

_LABEL: Final = re.compile(rb"^-----BEGIN ([A-Z0-9 ]{1,60})-----", re.MULTILINE)
_ENCRYPTED: Final = (b"ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")
_LARGEST: Final = 4_000_000  # bytes; the CA certificates of a whole system are a tenth of it
_CERTIFICATE: Final = "certificates in PEM"
_KEY: Final = "a private key in PEM"


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """The files of one side of a connection, and the settings that name them.

    Attributes:
        names: the settings of the three files, in the order of the next attributes.
        cert: the certificate chain of this side.
        key: its private key.
        ca: the CA certificates that the other side's certificate is checked against.
        password: that of the key.
        password_name: the setting that holds it; empty where there is none.
    """

    names: tuple[str, str, str]
    cert: str | None
    key: str | None
    ca: str | None
    password: str | None = None
    password_name: str = ""

    def load_into(self, context: ssl.SSLContext) -> None:
        """Load the files into *context*.

        Raises:
            OSError: one of them cannot be read or used; `ssl.SSLError` is of that class.
        """
        if self.ca is not None:
            context.load_verify_locations(cafile=self.ca)
        if self.cert is not None:
            # NOTE: without a password OpenSSL would ask for one on the terminal, and wait.
            context.load_cert_chain(self.cert, self.key, lambda: self.password or "")


def server_files(tls: TLSSettings) -> CertificateFiles:
    """Return the files of the server."""
    return CertificateFiles(
        ("TLS_CERT", "TLS_KEY", "TLS_CLIENT_CA"),
        tls.cert,
        tls.key,
        tls.client_ca,
        tls.key_password,
        "TLS_KEY_PASSWORD",
    )


def entry_files(entry: ServiceEntry) -> CertificateFiles:
    """Return the files of an entry of `SERVICES`."""
    where = f"SERVICES[{entry.name!r}]"
    names = (f"{where}['cert']", f"{where}['key']", f"{where}['ca']")
    return CertificateFiles(names, entry.cert, entry.key, entry.ca)


def all_files(settings: Settings) -> Iterator[CertificateFiles]:
    """Yield the files of the server, and of each entry of `SERVICES`."""
    yield server_files(settings.tls)
    for entry in settings.services.values():
        yield entry_files(entry)


def names_files(settings: Settings) -> bool:
    """Tell whether *settings* name any certificate file."""
    return any(files.cert is not None or files.ca is not None for files in all_files(settings))


def check_files(settings: Settings) -> None:
    """Read every certificate and key that *settings* name.

    Raises:
        ImproperlyConfigured: with every mistake.
    """
    problems = [problem for files in all_files(settings) for problem in _problems(files)]
    if problems:
        raise ImproperlyConfigured.of(problems)


def find_warnings(settings: Settings) -> Iterator[str]:
    """Yield a warning for each expired certificate, and for each key that all users can read."""
    for files in all_files(settings):
        cert_name, key_name, _ = files.names
        if files.key is not None and os.stat(files.key).st_mode & stat.S_IROTH:
            yield (
                f"{key_name}: everybody on this machine can read {files.key!r}; expected its owner "
                "alone, or a group. Run `chmod o= ` on it."
            )
        if files.cert is not None:
            yield from _certificate_warnings(cert_name, files.cert)


def _certificate_warnings(name: str, path: str) -> Iterator[str]:
    if not exists("cryptography"):  # it comes with the extra `access`
        return
    from cryptography import x509

    with open(path, "rb") as file:
        certificate = x509.load_pem_x509_certificates(file.read())[0]
    now = datetime.now(UTC)
    if certificate.not_valid_after_utc <= now:
        said = f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    elif certificate.not_valid_before_utc > now:
        said = f"is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on"
    else:
        return
    yield f"{name}: the certificate in {path!r} {said}, so others refuse it. Put a new one there."


def _problems(files: CertificateFiles) -> Iterator[str]:
    cert_name, _, ca_name = files.names
    mistakes = []
    for name, path in ((cert_name, files.cert), (ca_name, files.ca)):
        if path is not None and (problem := _certificate_problem(name, path)) is not None:
            mistakes.append(problem)
    if files.key is not None and (problem := _key_problem(files)) is not None:
        mistakes.append(problem)
    yield from mistakes
    if not mistakes and files.cert is not None and files.key is not None:
        try:
            files.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        except ssl.SSLError as exc:
            yield _refused(files, exc)


def _certificate_problem(name: str, path: str) -> Problem | None:
    data = _read(name, path, _CERTIFICATE)
    if isinstance(data, Problem):
        return data
    labels = _labels(data)
    if b"CERTIFICATE" not in labels:
        return _other_kind(name, path, data, _CERTIFICATE)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError as exc:
        found = f"OpenSSL cannot read a certificate in {path!r} ({_reason(exc)})"
        return Problem(name, found, _CERTIFICATE, "Write the file anew.")
    return None


def _key_problem(files: CertificateFiles) -> Problem | None:
    name, path = files.names[1], files.key
    assert path is not None
    data = _read(name, path, _KEY)
    if isinstance(data, Problem):
        return data
    labels = _labels(data)
    if b"OPENSSH PRIVATE KEY" in labels:
        advice = "Convert a copy of it: `ssh-keygen -p -m PEM -f copy.pem`."
        return Problem(name, f"{path!r} holds a key in OpenSSH's own format", _KEY, advice)
    if not any(label.endswith(b"PRIVATE KEY") for label in labels):
        return _other_kind(name, path, data, _KEY)
    if any(mark in data for mark in _ENCRYPTED) and not files.password:
        cure = f"Set {files.password_name}." if files.password_name else "Decrypt it."
        return Problem(name, f"the key in {path!r} is encrypted", "its password", cure)
    return None


def _read(name: str, path: str, expected: str) -> bytes | Problem:
    """Return the contents of the file of the setting *name*, or its problem."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return Problem(name, f"{path!r} is no file", expected, "Mend the path.")
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "a path without NUL is needed"
        advice = "Mend the path, or the permissions of the file and its folders."
        return Problem(name, f"{path!r} cannot be read ({reason})", expected, advice)
    if len(data) > _LARGEST:
        return Problem(name, f"{path!r} is too large", expected, "Mend the path.")
    return data


def _labels(data: bytes) -> list[bytes]:
    return _LABEL.findall(data)


def _other_kind(name: str, path: str, data: bytes, expected: str) -> Problem:
    if not data.strip():
        return Problem(name, f"{path!r} is empty", expected, "Write the file anew.")
    if not _labels(data):
        is_der = data[:1] == b"\x30"
        found = f"{path!r} is {'in DER' if is_der else 'no PEM'}"
        advice = "`openssl` converts one format into the other." if is_der else "Mend the path."
        return Problem(name, found, expected, advice)
    kind = _labels(data)[0].decode().lower()
    return Problem(name, f"{path!r} holds a {kind}", expected, "Mend the path.")


def _refused(files: CertificateFiles, exc: ssl.SSLError) -> Problem:
    """Return the problem of a certificate and a key that OpenSSL does not take together."""
    cert_name, key_name, _ = files.names
    if "MISMATCH" in (exc.reason or ""):
        found = f"the key in {files.key!r} is not that of the first certificate in {files.cert!r}"
        advice = "The server's own certificate comes first, those between it and its CA follow."
        return Problem(key_name, found, f"the key that belongs to {cert_name}", advice)
    if "TOO_SMALL" in (exc.reason or "") or "TOO_WEAK" in (exc.reason or ""):
        found = f"OpenSSL refuses the certificate in {files.cert!r} ({_reason(exc)})"
        return Problem(cert_name, found, "RSA of 2048 bits or more, or EC", "Make a new one.")
    if files.password:
        found = f"{files.password_name or key_name} does not decrypt the key in {files.key!r}"
        return Problem(key_name, found, "its password", "Mend the password.")
    found = f"OpenSSL cannot use the key in {files.key!r} ({_reason(exc)})"
    return Problem(key_name, found, _KEY, "Write the file anew.")


def _reason(exc: ssl.SSLError) -> str:
    """Return OpenSSL's reason as words; its longer text names lines of C."""
    return (exc.reason or "a mistake in PEM").replace("_", " ").lower()
