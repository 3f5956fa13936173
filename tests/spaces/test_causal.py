"""Networks that answer after every character of a text: of each sequence space, as one network, as a program
and as ONNX."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cambrian.architecture import sample
from cambrian.errors import UsageError
from cambrian.exports.export import export_network
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.program.shape_check import check_fit
from cambrian.spaces.sequences.sequence_chain.space import PORTFOLIO

CHARACTERS, LENGTH = 7, 6
TEXT = Shape(CHARACTERS, LENGTH, 1, CHARACTERS, causal=True)
ONCE = Shape(CHARACTERS, LENGTH, 1, CHARACTERS)
CHAINS = tuple(f"sequence-chain:{name}" for name in PORTFOLIO)
NAMES = (*CHAINS, "sequence-chain", "darts-rnn", "nascell", "autoformer", "joint(space=darts-rnn)")


def build(name: str, shape: Shape = TEXT, seed: int = 0) -> nn.Module:
    """A random network of a space, or, after a colon, one of its portfolio."""
    name, _, chosen = name.partition(":")
    space = SPACES.parse(name)
    torch.manual_seed(0)
    network = space.portfolio[chosen] if chosen else sample(space, stream(seed, "causal"))
    return space.build(network, shape).eval()


def draw_texts(count: int, seed: int = 0) -> Tensor:
    codes = torch.randint(CHARACTERS, (count, LENGTH), generator=torch.Generator().manual_seed(seed))
    return nn.functional.one_hot(codes, CHARACTERS).float().permute(0, 2, 1)[..., None]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [0, 1])
def test_later_characters_never_change_earlier_answers(name: str, seed: int) -> None:
    """And do change those from their own place on: from any place, the rest of the text is another one."""
    network = build(name, seed=seed)
    check_fit(network, TEXT)
    texts, others = draw_texts(3), draw_texts(3, 1)
    with torch.inference_mode():
        before = network(texts)
        assert before.shape == (3, CHARACTERS, LENGTH)
        for place in range(1, LENGTH):
            after = network(torch.cat([texts[:, :, :place], others[:, :, place:]], 2))
            torch.testing.assert_close(after[..., :place], before[..., :place], rtol=0, atol=1e-6)
            assert not torch.allclose(after[..., place:], before[..., place:], atol=1e-4)


@pytest.mark.parametrize("name", ["darts-rnn", "nascell"])
def test_a_cell_that_answers_once_has_the_last_answer(name: str) -> None:
    """With the same weights, the network of one answer for a text gives that after its last character."""
    texts = draw_texts(3)
    with torch.inference_mode():
        torch.testing.assert_close(build(name)(texts)[..., -1], build(name, ONCE)(texts))


def test_a_patch_of_text_is_one_character() -> None:
    """Larger ones would read what they predict."""
    space = SPACES.make("autoformer")
    with pytest.raises(UsageError, match="patch: 1 where each character of a text has an answer, got 2"):
        space.build(sample(space, stream(0, "causal")), TEXT, patch=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CHAINS, "darts-rnn", "nascell", "autoformer"])
def test_exports_are_verified(name: str, tmp_path: Path) -> None:
    """The program, its source and the ONNX file, in a process without cambrian."""
    pytest.importorskip("onnxruntime")
    facts = {
        "labels": list("abcdefg"),
        "mean": [0.0] * CHARACTERS,
        "std": [1.0] * CHARACTERS,
        "channels": CHARACTERS,
        "height": LENGTH,
        "width": 1,
        "stored": "uint8",
        "goal": {"kind": "characters"},
    }
    out = export_network(build(name), facts, tmp_path / "out", architecture_json={}, onnx=True)
    assert (out / "program.onnx").exists()
    assert (out / "network.py").exists()
