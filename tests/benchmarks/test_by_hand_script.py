"""The network by hand that the main job is compared with."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_its_last_line_is_what_the_main_job_reads(tmp_path, monkeypatch, capsys):
    """A network that learns for a moment says how good it is, in percent."""
    rng = np.random.default_rng(0)
    parts = {"train": 30, "test": 10}
    images = {f"x_{part}": rng.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8) for part, n in parts.items()}
    np.savez(
        tmp_path / "few.npz", **images, **{f"y_{part}": rng.integers(0, 2, n) for part, n in parts.items()}
    )
    monkeypatch.syspath_prepend(str(FOLDER))
    import by_hand
    import main_job
    import torch

    line = [
        str(tmp_path / "few.npz"),
        "--seconds",
        "0.1",
        "--threads",
        str(torch.get_num_threads()),
        "--width",
        "4",
    ]
    monkeypatch.setattr(sys, "argv", ["by_hand.py", *line])
    by_hand.main()
    score = main_job.read_by_hand(capsys.readouterr().out)["test"]
    assert score == round(score / 10) * 10  # of ten images
