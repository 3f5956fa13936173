"""The public face: what `import cambrian` offers, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import cambrian


def test_every_public_name_is_there() -> None:
    """`__all__` and the table of homes agree, and each name loads from its home."""
    assert sorted(cambrian.__all__) == sorted(cambrian._HOMES)
    for name in cambrian.__all__:
        assert getattr(cambrian, name).__name__ == name


def test_importing_does_not_import_torch() -> None:
    """Neither the package nor the command line's help needs torch or NumPy."""
    code = "import sys, cambrian.cli.commands; print({'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_notebook_shows_a_result() -> None:
    """Whichever name of the search is used first, without a word about reports, and without torch."""
    code = (
        "import sys, cambrian\n"
        "from cambrian.estimators.function import Function\n"
        "one = Function(lambda architecture, fidelity: 1.0, builds=False)\n"
        "result = cambrian.Search('pnas', 'random', one, budget=2).run()\n"
        "print('2 trials' in result._repr_html_(), 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True False"
