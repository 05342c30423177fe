"""One fixture for all: sites laid out on a sheet."""

import pytest
from export_samples import lay_out_usual


@pytest.fixture(scope="session")
def lay():
    """Lay out sites on a sheet with everything else as usual."""
    return lay_out_usual
