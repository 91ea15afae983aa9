"""How many examples a property is tried with: few in every run, more in `make acceptance`."""

import os

from hypothesis import settings

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "30"))
some_examples = settings(deadline=None, max_examples=EXAMPLES)
