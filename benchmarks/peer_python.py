"""The Python in which the frameworks that ours is compared with are installed."""

from __future__ import annotations

import os
import subprocess
import venv
from collections.abc import Iterable
from pathlib import Path


def install_peers(folder: Path, requirements: Iterable[str]) -> str:
    """Return a Python that has *requirements*: what PEERS_PYTHON names, or a new environment."""
    if given := os.environ.get("PEERS_PYTHON"):
        return given
    venv.create(folder / "peers", with_pip=True)
    python = str(folder / "peers" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", *requirements], check=True)
    return python
