"""The measured service's settings: what a team would run with, nothing switched off."""

import os
import tempfile
from pathlib import Path

log_file = os.environ.get("BENCH_LOG", str(Path(tempfile.gettempdir(), "msframework-bench.log")))
LOGGING_CONFIG = Path(__file__).with_name("logging.yml")

CONFIGURE = "benchmarks.service.configure"
SERVICE_NAME = "benchmark"
SWAGGER = {"title": "benchmark", "version": "1.0.0"}
HOST = "127.0.0.1"
WORKERS = 1
ACCESS_CONTROL_ALLOW_ORIGIN = "*"
DATABASE_URL = os.environ.get("BENCH_DSN", "postgresql://postgres@localhost/bench")
DB_MIN_SIZE = DB_MAX_SIZE = int(os.environ.get("BENCH_POOL", "16"))
SERVICES = {
    # The load keeps 64 requests open, each with two calls at once.
    "upstream": {"url": os.environ.get("BENCH_UPSTREAM", "http://127.0.0.1:9400"), "limit": 128},
}
ACCESS_LOG = True
TRACE_SAMPLE_RATE = 0.1
# Spans go to the collector; without one they become lines of the log. One of both is enough.
ZIPKIN_SERVER = os.environ.get("BENCH_ZIPKIN")
TRACE_LOG = ZIPKIN_SERVER is None
