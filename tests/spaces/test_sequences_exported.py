"""Networks that read sequences, as programs without our classes."""

from __future__ import annotations

import pytest
import torch

from cambrian.architecture import sample
from cambrian.randomness import stream
from cambrian.spaces.program import Shape
from cambrian.spaces.sequences.autoformer import AutoFormer
from cambrian.spaces.sequences.darts_rnn import DARTSRNN
from cambrian.spaces.sequences.nascell import NASCell

SPACES = [AutoFormer(depths=(1, 1)), DARTSRNN(nodes=2), NASCell(base=2)]


@pytest.mark.parametrize("space", SPACES, ids=lambda s: type(s).__name__)
def test_an_exported_network_takes_any_number_of_images(space):
    """Its loop over rows is unrolled and its patches are laid out; how many images come is left open."""
    torch.manual_seed(0)
    network = space.build(sample(space, stream(0)), Shape(1, 4, 4, 3)).eval()
    open_batch = ({0: torch.export.Dim("batch", min=1)},)
    program = torch.export.export(network, (torch.zeros(2, 1, 4, 4),), dynamic_shapes=open_batch)
    for n in (1, 5):
        images = torch.randn(n, 1, 4, 4)
        torch.testing.assert_close(program.module()(images), network(images))
