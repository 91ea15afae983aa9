"""TLS of calls: the context of one service, and the reasons of failed handshakes.

The context is built when a service starts; `read_tls_failure` runs for each call that fails.
"""

from __future__ import annotations

import ssl
from typing import Final

from msframework.conf.settings import ServiceEntry
from msframework.conf.tls import entry_files
from msframework.exceptions import ImproperlyConfigured

# X509_V_ERR_* of OpenSSL (x509_vfy.h), as words that name nothing of the inside.
_REASONS: Final = {
    9: "is not valid yet",
    10: "has expired",
    18: "is not of a CA that is trusted here",
    19: "is not of a CA that is trusted here",
    20: "is not of a CA that is trusted here",
    21: "is not of a CA that is trusted here",
    62: "is for another host",
    64: "is for another host",
}


def build_client_context(entry: ServiceEntry) -> ssl.SSLContext | None:
    """Return the context of calls of *entry*; `None` where aiohttp's own will do.

    Certificates and host names are always verified. A `ca` stands in the place of the system's.

    Raises:
        ImproperlyConfigured: a file of the entry cannot be used.
    """
    if entry.ca is None and entry.cert is None:
        return None
    try:
        context = ssl.create_default_context(cafile=entry.ca)
        entry_files(entry).load_into(context)
    except OSError as exc:
        said = exc.reason if isinstance(exc, ssl.SSLError) else exc.strerror
        raise ImproperlyConfigured(
            f"SERVICES[{entry.name!r}]: its ca, cert or key cannot be used ({said or 'no PEM'}); "
            "expected files in PEM. `manage.py check` says which one, and why."
        ) from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def read_tls_failure(exc: BaseException) -> str | None:
    """Return why TLS failed, in words fit for an answer; `None` where it did not fail."""
    # NOTE: aiohttp's own exceptions derive from those of `ssl`, without their attributes.
    cause = getattr(exc, "certificate_error", None) or exc
    if isinstance(cause, ssl.SSLCertVerificationError):
        reason = _REASONS.get(cause.verify_code, "is refused")
        return f"its certificate {reason}"
    if any(isinstance(each, ssl.SSLError) for each in (exc, exc.__cause__, exc.__context__)):
        return "no connection by TLS"
    return None
