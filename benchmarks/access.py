"""What a token costs a request: `python -m benchmarks.access`.

The measured service, open and with `Authenticated()` over HS256 tokens, takes the same requests in
turns, round by round: 64 callers, each with a token of its own, which the service verifies once and
then knows. Prints CPU time and rate of both, their difference and ratio, median over the rounds.

`--calls` measures calls of `authenticate` alone, without a server: for a token that is known, for
one that is seen for the first time, by algorithm, and for some that are refused.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from sanic.compat import Header

from benchmarks.guarded import issuer as own_issuer
from benchmarks.harness import Bench
from benchmarks.machine import describe
from benchmarks.processes import expect
from benchmarks.variants import Comparison
from msframework.access import JWTBearer, JWTIssuer, JWTKey
from msframework.access.jws import encode_segment
from msframework.exceptions import Unauthorized
from msframework.serving.request import Request

CALLERS = 64
GUARDING = Comparison("access", "open", "guarded", "benchmarks.guarded")
ALGORITHMS = ("HS256", "RS256", "PS256", "ES256", "ES512", "EdDSA")


def requests_of(token: str, number: int) -> list[Request]:
    """Return *number* requests with *token*."""
    headers = [("authorization", f"Bearer {token}")]
    return [Request(b"/", Header(headers), "1.1", "GET", None, None) for _ in range(number)]


def time_calls(bearer: JWTBearer, requests: list[Request]) -> float:
    """Return the microseconds of one call of `authenticate`, without those of reading headers."""
    for request in requests:
        request.headers  # noqa: B018 - it is made here
    start = time.process_time()
    for request in requests:
        with suppress(StopIteration, Unauthorized):
            bearer.authenticate(request).send(None)
    return (time.process_time() - start) / len(requests) * 1e6


def time_all() -> Iterator[tuple[str, float]]:
    """Yield a name, and the microseconds of a call."""
    for algorithm in ALGORITHMS:
        issuer = JWTIssuer(JWTKey.generate(algorithm), issuer="https://a", audience="b")
        token = issuer.issue("ada", ("read", "write"))
        yield f"{algorithm} known", time_calls(issuer.bearer(), requests_of(token, 20_000))
        yield f"{algorithm} new", time_calls(issuer.bearer(cache=0), requests_of(token, 2_000))
    issuer = JWTIssuer(JWTKey.generate(), issuer="https://a", audience="b")
    token, bearer = issuer.issue("ada"), issuer.bearer()
    head, _, signature = token.split(".")
    yield "refused: signature", time_calls(bearer, requests_of(f"{token[:-8]}AAAAAAAA", 5_000))
    yield "refused: 8 KiB", time_calls(bearer, requests_of(f"{head}.{'A' * 8000}.{signature}", 500))
    for bits, exponent in ((8192, 65537), (8192, (1 << 63) + 1)):
        key = JWTKey(RSAPublicNumbers(exponent, (1 << bits - 1) + 12345).public_key())
        bearer = JWTBearer(key, audience=None, issuer=None)
        forged = f"eyJhbGciOiJSUzI1NiJ9.e30.{encode_segment(b'a' * (bits // 8))}"
        yield f"refused: {bits} bits, e={exponent}", time_calls(bearer, requests_of(forged, 50))


def main() -> int:
    """Measure, and return the exit code."""
    options = GUARDING.parse(__doc__)
    if options.calls:
        for name, microseconds in time_all():
            print(f"{name:44}{microseconds:8.1f} us")
        return 0
    with tempfile.NamedTemporaryFile("w", suffix=".tokens") as file, Bench(options) as bench:
        tokens = [own_issuer.issue(number + 1) for number in range(CALLERS)]
        file.write("".join(f"{token}\n" for token in tokens))
        file.flush()
        about = describe(bench.database.version())
        servers = GUARDING.start(bench)
        expect(servers["guarded"].request("GET", "/json")[0] == 401, "it is not guarded")
        bearer = {"Authorization": f"Bearer {tokens[0]}"}
        arguments = (f"bearer={file.name}",)
        runs = GUARDING.measure(bench, servers, options, headers=bearer, arguments=arguments)
    return GUARDING.report(options, about, runs)


if __name__ == "__main__":
    sys.exit(main())
