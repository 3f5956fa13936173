"""Being here puts `tests/` on sys.path, so that `mocks` can be imported, by workers too."""

import pytest


def pytest_collection_modifyitems(items):
    """What runs a hundred searches may take longer than the few minutes in which a test must have hung."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(3600))
