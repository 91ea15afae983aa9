"""The tools that several of these tests run."""

import pytest

from tests.acceptance import tools


@pytest.fixture(scope="session")
def schemathesis():
    """Return the program schemathesis."""
    return tools.python_programs() / "schemathesis"


@pytest.fixture(scope="session")
def node_programs():
    """Return the folder of the programs of npm's packages."""
    tools.installed("node")
    return tools.node_modules() / ".bin"


@pytest.fixture(scope="session")
def deploy_programs():
    """Return the folder of the programs that files of `deploy/` are for, Envoy among them."""
    return tools.deploy_programs()
