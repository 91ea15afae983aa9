"""Tables out of a stored result, as text, Markdown or JSON. Pure functions."""

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.targets import BASELINE, OURS

# What msframework has to reach, as ratios to raw Sanic, in the worst round.
GOALS = {
    "json": 1.6,
    "read_one": 2.2,
    "list": 1.5,
    "create": 1.8,
    "invalid": 1.1,
    "fanout": 1.25,
}
Row = Sequence[str]


def markdown_table(rows: Sequence[Row]) -> str:
    """Return *rows*, the first of them the head, as a Markdown table with even columns."""
    widths = _widths(rows)
    lines = ["| " + " | ".join(_cells(row, widths)) + " |" for row in rows]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([lines[0], "| " + " | ".join(rule) + " |", *lines[1:]])


def text_table(rows: Sequence[Row]) -> str:
    """Return *rows*, the first of them the head, for a terminal."""
    widths = _widths(rows)
    lines = ["  ".join(_cells(row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


TABLES: dict[str, Callable[[Sequence[Row]], str]] = {
    "text": text_table,
    "markdown": markdown_table,
}


def _widths(rows: Sequence[Row]) -> list[int]:
    return [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]


def _cells(row: Row, widths: Sequence[int]) -> list[str]:
    rest = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    return [row[0].ljust(widths[0]), *rest]


def names_in(result: Mapping[str, Any], key: str) -> list[str]:
    """Return the values of *key* in the runs, in the order in which they were met."""
    return list(dict.fromkeys(run[key] for run in result["runs"]))


def runs_of(result: Mapping[str, Any], peer: str, workload: str) -> list[Mapping[str, Any]]:
    """Return the runs of one cell of the table."""
    return [run for run in result["runs"] if run["peer"] == peer and run["workload"] == workload]


def summarize(result: Mapping[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """Return, by peer and workload, the median rate and its ratios to raw Sanic's.

    `median` is the ratio of medians; `worst` and `best` are of ratios within one round.
    """
    summary: dict[str, dict[str, dict[str, float]]] = {}
    for peer in names_in(result, "peer"):
        for workload in names_in(result, "workload"):
            runs = runs_of(result, peer, workload)
            if not runs:
                continue
            cell = {
                "rps": statistics.median(run["rps"] for run in runs),
                "cpu_us": statistics.median(run["cpu_us_per_request"] for run in runs),
            }
            cell |= _ratios(runs, runs_of(result, BASELINE, workload))
            summary.setdefault(peer, {})[workload] = cell
    return summary


def _ratios(runs: Iterable[Mapping], base: Iterable[Mapping]) -> dict[str, float]:
    rates = {run["round"]: run["rps"] for run in runs}
    against = {run["round"]: run["rps"] for run in base}
    pairs = [rate / against[n] for n, rate in rates.items() if against.get(n)]
    if not pairs:
        return {}
    medians = statistics.median(rates.values()) / statistics.median(against.values())
    return {"median": medians, "worst": min(pairs), "best": max(pairs)}


def short_of_goals(result: Mapping[str, Any]) -> list[str]:
    """Say where msframework's worst round is below its goal."""
    cells = summarize(result).get(OURS, {})
    return [
        f"{workload}: {cells[workload]['worst']:.3f} of {BASELINE}, not {goal}"
        for workload, goal in GOALS.items()
        if "worst" in cells.get(workload, {}) and cells[workload]["worst"] < goal
    ]


def ratio_rows(result: Mapping[str, Any]) -> list[Row]:
    """Return the table of ratios: medians, and in brackets the worst round."""
    summary, workloads = summarize(result), names_in(result, "workload")
    rows: list[Row] = [[f"x {BASELINE}: medians (worst round)", *workloads]]
    for peer, cells in summary.items():
        rows.append([peer, *(_ratio_cell(peer, cells.get(workload)) for workload in workloads)])
    if OURS in summary:
        rows.append([f"goal of {OURS}", *(f"({GOALS[w]:.2f})" for w in workloads if w in GOALS)])
    return rows


def _ratio_cell(peer: str, cell: Mapping[str, float] | None) -> str:
    if cell is None:
        return "-"
    if peer == BASELINE or "median" not in cell:
        return f"{cell['rps']:,.0f}/s"
    return f"{cell['median']:.2f} ({cell['worst']:.2f})"


def workload_rows(result: Mapping[str, Any], workload: str) -> list[Row]:
    """Return the table of one workload."""
    head = "peer|req/s|(min-max)|p50 ms|p99 ms|CPU us/req|server CPU %|load core %|errors|x median"
    rows: list[Row] = [[*head.split("|"), "x worst"]]
    load_core = result["about"]["options"]["load_core"]
    summary = summarize(result)
    for peer in names_in(result, "peer"):
        runs = runs_of(result, peer, workload)
        if not runs:
            continue
        cell = summary[peer][workload]
        rps = [run["rps"] for run in runs]
        rows.append(
            [
                peer,
                f"{cell['rps']:,.0f}",
                f"({min(rps):,.0f}-{max(rps):,.0f})",
                f"{_middle(runs, 'p50_ms'):.2f}",
                f"{_middle(runs, 'p99_ms'):.2f}",
                f"{cell['cpu_us']:.0f}",
                f"{_middle(runs, 'server_cpu_pct'):.0f}",
                f"{statistics.median(run['core_busy_pct'][load_core] for run in runs):.0f}",
                str(sum(run["errors"] for run in runs)),
                f"{cell['median']:.3f}" if "median" in cell else "-",
                f"{cell['worst']:.3f}" if "worst" in cell else "-",
            ]
        )
    return rows


def _middle(runs: Iterable[Mapping[str, Any]], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def proof_rows(result: Mapping[str, Any]) -> list[Row]:
    """Return what one request of each workload cost elsewhere, by PostgreSQL's own log."""
    rows: list[Row] = [["statements (+ calls) per request", *result.get("workloads", [])]]
    for peer, proofs in result.get("proof", {}).items():
        cells = []
        for workload in rows[0][1:]:
            proof = proofs.get(workload)
            cells.append("-" if proof is None else _proof_cell(proof))
        rows.append([peer, *cells])
    return rows


def _proof_cell(proof: Mapping[str, Any]) -> str:
    statements = ", ".join(f"{count:g} {kind}" for kind, count in proof["statements"].items())
    calls = f" + {proof['upstream_calls']:g} calls" if proof["upstream_calls"] else ""
    return (statements or "none") + calls


def noise(result: Mapping[str, Any]) -> str:
    """Say how far the rounds of one cell lie apart."""
    spread = []
    for peer in names_in(result, "peer"):
        for workload in names_in(result, "workload"):
            rps = [run["rps"] for run in runs_of(result, peer, workload)]
            if len(rps) > 1:
                spread.append(100 * (max(rps) - min(rps)) / statistics.median(rps))
    disturbed = sum(bool(run.get("disturbed")) for run in result["runs"])
    text = f"; {disturbed} measurements stayed disturbed" if disturbed else ""
    if not spread:
        return "one round only" + text
    return (
        f"noise, (max-min)/median of req/s over the rounds: median {statistics.median(spread):.1f}"
        f" %, worst {max(spread):.1f} % ({len(spread)} cells){text}"
    )


def machine_line(about: Mapping[str, Any]) -> str:
    """Return machine and versions on one line."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    postgresql = f", PostgreSQL {about['postgresql']}" if "postgresql" in about else ""
    return (
        f"{about['started']}; {about['cpu']}, {about['cores']} cores, Linux {about['kernel']}; "
        f"Python {about['python']}{postgresql}; {versions}"
    )


def render(result: Mapping[str, Any], form: str = "text") -> str:
    """Return the report in *form*: text, markdown or json (the summary alone)."""
    if form == "json":
        return json.dumps({"about": result["about"], "summary": summarize(result)}, indent=1)
    table, parts = TABLES[form], []
    if result["runs"]:
        parts += [f"### {w}\n\n{table(workload_rows(result, w))}" for w in result["workloads"]]
    if len(proven := proof_rows(result)) > 1:
        parts.append(f"### nothing is kept between requests\n\n{table(proven)}")
    if result["runs"]:
        options = result["about"]["options"]
        parts += [
            f"### summary\n\n{table(ratio_rows(result))}",
            f"{options['rounds']} interleaved rounds of {options['duration']} s after "
            f"{options['warmup']} s of warm-up, {options['connections']} connections; "
            f"{noise(result)}",
        ]
    parts.append(machine_line(result["about"]))
    return "\n\n".join(parts)
