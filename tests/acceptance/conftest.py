"""The tools that several of these tests run."""

import pytest

from tests.acceptance import tools


@pytest.fixture(scope="session")
def schemathesis():
    """Return the program schemathesis."""
    try:
        return tools.python_programs() / "schemathesis"
    except tools.Unavailable as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="session")
def node_programs():
    """Return the folder of the programs of npm's packages."""
    try:
        return tools.node_modules() / ".bin"
    except tools.Unavailable as exc:
        pytest.skip(str(exc))
