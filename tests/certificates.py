"""Certificate authorities that tests make: keys of P-256, which take a millisecond."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and its key."""

    cert: str
    key: str


class Authority:
    """A CA whose files stand in *folder*."""

    def __init__(self, folder: Path, name: str = "Test CA") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._name = folder, _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(
            self._key.public_key(),
            self._name,
            (-30 * DAY, 3650 * DAY),
            x509.BasicConstraints(ca=True, path_length=0),
            x509.KeyUsage(*[False] * 5, key_cert_sign=True, crl_sign=True, **_NEITHER),
        )
        self.ca = self._write("ca.pem", certificate.public_bytes(_PEM))

    def issue(
        self,
        name: str = "server",
        *,
        hosts: tuple[str, ...] = LOOPBACK,
        uri: str | None = None,
        since: timedelta = -30 * DAY,
        until: timedelta = DAY,
        password: str | None = None,
        usage: str = "both",
        file: str | None = None,
    ) -> Pair:
        """Return a new certificate for *name*.

        Args:
            hosts: the names and addresses that it is for.
            uri: a URI that it is for, such as a SPIFFE ID.
            since: when it begins to count, from now; negative for the past.
            until: when it expires, from now.
            password: what its key is encrypted with.
            usage: the side of a connection that it is for: server, client or both.
            file: the beginning of the files' names; *name* by default.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = [*map(_general_name, hosts)]
        if uri is not None:
            names.append(x509.UniformResourceIdentifier(uri))
        certificate = self._sign(
            key.public_key(),
            _name(name),
            (since, until),
            x509.BasicConstraints(ca=False, path_length=None),
            x509.ExtendedKeyUsage(_USAGES[usage]),
            *([x509.SubjectAlternativeName(names)] if names else ()),
        )
        encryption = (
            serialization.BestAvailableEncryption(password.encode())
            if password is not None
            else serialization.NoEncryption()
        )
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, encryption)
        file = file or name
        return Pair(
            self._write(f"{file}.pem", certificate.public_bytes(_PEM)),
            self._write(f"{file}.key", private),
        )

    def _sign(self, key, subject, span, *extensions):
        since, until = (datetime.now(UTC) + each for each in span)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(until)
        )
        ours = self._key.public_key()
        identifiers = (
            x509.SubjectKeyIdentifier.from_public_key(key),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ours),
        )
        for extension in (*extensions, *identifiers):
            critical = isinstance(extension, (x509.BasicConstraints, x509.KeyUsage))
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, data: bytes) -> str:
        path = self._folder / name
        path.write_bytes(data)
        path.chmod(0o600)
        return str(path)


_PEM = serialization.Encoding.PEM
_USAGES = {
    "server": [ExtendedKeyUsageOID.SERVER_AUTH],
    "client": [ExtendedKeyUsageOID.CLIENT_AUTH],
    "both": [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
}
_NEITHER = {"encipher_only": False, "decipher_only": False}


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
