"""What a token costs a request: `python -m benchmarks.access`.

The measured service, open and with `Authenticated()` over HS256 tokens, takes the same requests in
turns, round by round: 64 callers, each with a token of its own, which the service verifies once and
then knows. Prints CPU time and rate of both, their difference and ratio, median over the rounds.

`--calls` measures calls of `authenticate` alone, without a server: for a token that is known, for
one that is seen for the first time, by algorithm, and for some that are refused.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from sanic.compat import Header

from benchmarks.guarded import issuer as own_issuer
from benchmarks.harness import RESULTS, Bench
from benchmarks.load import WORKLOADS, add_options, measure_quietly, note
from benchmarks.machine import describe
from benchmarks.processes import expect
from benchmarks.targets import OURS, TARGETS
from msframework.access import JWTBearer, JWTIssuer, JWTKey
from msframework.access.jws import encode_segment
from msframework.exceptions import Unauthorized
from msframework.serving.request import Request

CALLERS = 64
NAMES = ("json", "read_one")
PATHS = {"json": "/json", "read_one": "/users/4242"}
ALGORITHMS = ("HS256", "RS256", "PS256", "ES256", "ES512", "EdDSA")


def measure(bench: Bench, options: argparse.Namespace, tokens: Path) -> list[dict[str, Any]]:
    """Return what each round found for each workload, open and guarded."""
    own = replace(TARGETS[OURS], full=False)
    guarded = own.command.replace("benchmarks.settings", "benchmarks.guarded")
    servers = {
        "open": bench.start(replace(own, name="open")),
        "guarded": bench.start(replace(own, name="guarded", command=guarded)),
    }
    for server in servers.values():
        server.wait_ready()
    bearer = {"Authorization": f"Bearer {tokens.read_text().split()[0]}"}
    expect(servers["guarded"].request("GET", "/json")[0] == 401, "it is not guarded")
    sizes = {}
    for name, path in PATHS.items():
        status, _, body = servers["guarded"].request("GET", path, headers=bearer)
        expect(status == 200, f"{path} answers a caller {status}")
        sizes[name] = len(body)
    runs, discarded = [], []
    for number in range(options.rounds):
        for name in NAMES:
            script, arguments, fails = WORKLOADS[name]
            workload = script, [*arguments, f"bearer={tokens}"], fails
            for variant in sorted(servers, reverse=number % 2 == 0):
                server = servers[variant]
                found = measure_quietly(
                    server, workload, options, sizes[name], bench.helpers, discarded
                )
                runs.append({**found, "variant": variant, "workload": name, "round": number})
                note(
                    f"round {number + 1} {name:9} {variant:8} {found['rps']:8,.0f} req/s  "
                    f"cpu {found['cpu_us_per_request']:6.1f} us  errors {found['errors']}"
                )
    return runs


def summarize(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return, by workload, the medians over the rounds."""
    table = {}
    for name in NAMES:
        cpu, rate = (
            {(run["variant"], run["round"]): run[key] for run in runs if run["workload"] == name}
            for key in ("cpu_us_per_request", "rps")
        )
        rounds = sorted({number for _, number in cpu})
        more = [cpu["guarded", number] - cpu["open", number] for number in rounds]
        ratio = [rate["guarded", number] / rate["open", number] for number in rounds]
        table[name] = {
            "open_us": statistics.median(cpu["open", number] for number in rounds),
            "guarded_us": statistics.median(cpu["guarded", number] for number in rounds),
            "more_us": statistics.median(more),
            "least_more_us": min(more),
            "most_more_us": max(more),
            "rate": statistics.median(ratio),
        }
    return table


def render(table: Mapping[str, Mapping[str, float]]) -> str:
    """Return *table* as text."""
    lines = [f"{'CPU us/req':10}{'open':>8}{'guarded':>9}{'more':>7}{'spread':>16}{'rate x':>8}"]
    for name, row in table.items():
        spread = f"{row['least_more_us']:.1f} to {row['most_more_us']:.1f}"
        lines.append(
            f"{name:10}{row['open_us']:8.1f}{row['guarded_us']:9.1f}{row['more_us']:7.1f}"
            f"{spread:>16}{row['rate']:8.3f}"
        )
    return "\n".join(lines)


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


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.access", description=__doc__)
    parser.add_argument("--out", help="result file (default: results/access-<time>.json)")
    parser.add_argument("--calls", action="store_true", help="calls alone, without a server")
    parser.add_argument("--require", type=float, help="fail where a request costs so much more")
    add_options(parser, duration=8, rounds=5)
    return parser.parse_args()


def main() -> int:
    """Measure, and return the exit code."""
    options = parse()
    if options.calls:
        for name, microseconds in time_all():
            print(f"{name:44}{microseconds:8.1f} us")
        return 0
    path = Path(options.out or RESULTS / f"access-{time.strftime('%Y%m%d-%H%M%S')}.json")
    with tempfile.NamedTemporaryFile("w", suffix=".tokens") as file, Bench(options) as bench:
        file.write("".join(f"{own_issuer.issue(number + 1)}\n" for number in range(CALLERS)))
        file.flush()
        about = describe(bench.database.version())
        runs = measure(bench, options, Path(file.name))
    table = summarize(runs)
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {"about": about, "summary": table, "runs": runs}
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(render(table))
    note(f"results in {path}")
    if errors := sum(run["errors"] for run in runs):
        note(f"SHORT  {errors} errors under load")
    most = max(row["more_us"] for row in table.values())
    return int(bool(errors) or (options.require is not None and most > options.require))


if __name__ == "__main__":
    sys.exit(main())
