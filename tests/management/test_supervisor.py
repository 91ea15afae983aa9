"""Workers that die, hang, renew and stop, under a real supervisor and fork server.

They are processes of a few lines, told by files what to do, so that many of them are cheap.
"""

import atexit
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from msframework.management import worker as worker_module
from msframework.management.control import Serving, StartFailure, WorkerControl
from msframework.management.process import RestartPause, WorkerState, describe_exit
from msframework.management.start import Start, StartMode
from msframework.management.supervisor import Supervisor
from msframework.management.worker import Launcher, die_with_parent


def act(start, sock, pipes, environment, shared):
    """Serve as *start* says: its module is the file that a worker looks at, to misbehave."""
    die_with_parent()
    control, stop = WorkerControl(*pipes), threading.Event()
    control.watch(lambda is_last: stop.set(), lambda: os._exit(9))
    words = Path(start.module).read_text().split()
    place = Path(start.name)
    if "fail" in words and start.mode is not StartMode.STAND_IN:
        control.send(StartFailure("no database"))
        raise SystemExit(1)
    if "die" in words:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "sleep" in words:
        time.sleep(60)
    control.send(Serving(0.2))
    (place / f"{environment['SANIC_WORKER_NAME']} {start.mode.value}").touch()
    stop.wait()
    if "hang" in words:
        time.sleep(60)
