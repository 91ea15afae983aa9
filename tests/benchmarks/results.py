"""Results as run.py stores them, small."""


def make_run(peer, rps, number=0, workload="json"):
    """Return one measurement."""
    return {
        "peer": peer,
        "workload": workload,
        "round": number,
        "rps": float(rps),
        "p50_ms": 1.0,
        "p99_ms": 2.0,
        "cpu_us_per_request": 1e6 / rps,
        "server_cpu_pct": 99.0,
        "core_busy_pct": [99.0, 50.0],
        "errors": 0,
    }


def make_result(*runs, **versions):
    """Return a result with *runs*."""
    about = {
        "started": "2026-01-01T00:00:00+00:00",
        "cpu": "a CPU",
        "cores": 2,
        "kernel": "6.1",
        "python": "3.11.7",
        "postgresql": "18.4",
        "versions": versions or {"sanic": "25.12.1"},
        "options": {
            "duration": 8,
            "warmup": 1,
            "rounds": 2,
            "connections": 64,
            "server_core": 0,
            "load_core": 1,
        },
    }
    workloads = list(dict.fromkeys(run["workload"] for run in runs))
    return {"about": about, "workloads": workloads, "proof": {}, "runs": list(runs)}
