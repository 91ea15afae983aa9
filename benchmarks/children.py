"""Servers and load generators of a benchmark, which end with it, however it ends."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

_PR_SET_PDEATHSIG = 1  # prctl(2)


def start_child(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start *command*; it gets SIGTERM when this process is gone, killed or not.

    NOTE: Linux sends it when the thread ends that started the command, so that has to stay.

    Args:
        command: the program and its arguments.
        options: those of `subprocess.Popen`.
    """
    if sys.platform == "linux":
        parent, prctl = os.getpid(), ctypes.CDLL(None).prctl
        prepare = options.get("preexec_fn")

        def follow() -> None:
            if prepare is not None:
                prepare()
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it was killed before
                os._exit(1)

        options["preexec_fn"] = follow
    return subprocess.Popen(command, **options)
