"""Vectors of hashed n-grams: their rows against whole numbers of Python, their sum against a loop, and the
same in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cambrian.networks.onnx.onnx_file import write_network
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.sequences.sequence_chain.embedding import (
    FACTOR,
    LENGTHS,
    PRIME,
    ROWS,
    NGrams,
    choose_rows,
    number_ngrams,
    read_codes,
)
from cambrian.spaces.sequences.sequence_chain.space import SequenceChain

CHARACTERS, STEPS = 80, 9


def draw_codes(kinds: int, texts: int = 4) -> Tensor:
    """Int64 [texts, STEPS], the last texts of the greatest code and of none."""
    codes = torch.randint(kinds, (texts, STEPS), generator=torch.Generator().manual_seed(1))
    codes[-1], codes[-2] = kinds - 1, 0
    return codes


def light(codes: Tensor, characters: int) -> Tensor:
    """(n, steps, characters): 1 at the character of each code; of code 0 none."""
    return nn.functional.one_hot(codes, characters + 1)[..., 1:].float()


def find_row(ngram: list[int], kinds: int) -> int:
    """The row of an n-gram, by whole numbers of any size."""
    number = 0
    for code in ngram:
        number = number * kinds + code
    count = kinds ** len(ngram)
    return number if count <= ROWS else number % PRIME * FACTOR % PRIME % ROWS


def list_ngram(codes: list[int], step: int, length: int) -> list[int]:
    return [codes[k] if k >= 0 else 0 for k in range(step - length + 1, step + 1)]


@pytest.mark.parametrize("kinds", [2, 8, CHARACTERS + 1, 257, 100_003])
def test_rows_are_those_of_whole_numbers(kinds: int) -> None:
    """Of few characters and of more than any text has, whose n-grams are beyond 64 bits."""
    codes = draw_codes(kinds)
    numbers = number_ngrams(codes, kinds, max(LENGTHS))
    for length in LENGTHS:
        rows = choose_rows(numbers[length - 1], kinds**length)
        expected = [
            [find_row(list_ngram(text, step, length), kinds) for step in range(STEPS)]
            for text in codes.tolist()
        ]
        assert rows.tolist() == expected
        assert 0 <= int(rows.min()) <= int(rows.max()) < min(ROWS, kinds**length)


def test_no_product_of_the_hash_overflows() -> None:
    """In 64 bits, for codes below the prime."""
    assert PRIME + (PRIME - 1) ** 2 < 1 << 63
    assert FACTOR < PRIME
    assert all(PRIME % factor for factor in range(2, 46_341))


def test_a_hash_spreads_ngrams_evenly() -> None:
    """All n-grams of three of 26 letters: about as many collisions as of random rows, whose expected number
    of rows in use is ROWS (1 - (1 - 1 / ROWS)^n)."""
    letters = torch.arange(1, 27)
    codes = torch.cartesian_prod(letters, letters, letters)
    rows = choose_rows(number_ngrams(codes, 27, 3)[2][:, 2], 27**3)
    expected = ROWS * (1 - (1 - 1 / ROWS) ** len(codes))
    assert len(rows.unique()) > 0.97 * expected


def test_codes_do_not_depend_on_normalisation() -> None:
    """Numbers of a text, and the same less their mean and by their deviation, as networks get them."""
    codes = draw_codes(8)
    rows = light(codes, 7)
    mean, deviation = rows.mean((0, 1)), rows.std((0, 1)) + 0.1
    assert read_codes(rows).tolist() == codes.tolist()
    assert read_codes((rows - mean) / deviation).tolist() == codes.tolist()


def make_embedding(characters: int = CHARACTERS, width: int = 6) -> NGrams:
    torch.manual_seed(0)
    embedding = NGrams(characters, width)
    for table in embedding.tables:
        nn.init.normal_(table.weight)
    return embedding.eval()


@torch.inference_mode()
def test_the_sum_is_that_of_a_loop() -> None:
    """Each n-gram's vector is added by hand to the linear layer's result."""
    embedding, codes = make_embedding(), draw_codes(CHARACTERS + 1)
    rows = light(codes, CHARACTERS)
    for text, found, read in zip(codes.tolist(), embedding(rows), rows, strict=True):
        for step in range(STEPS):
            expected = embedding.rows(read[step])
            for length, table in zip(LENGTHS, embedding.tables, strict=True):
                expected = expected + table.weight[find_row(list_ngram(text, step, length), CHARACTERS + 1)]
            torch.testing.assert_close(found[step], expected)


@torch.inference_mode()
def test_a_step_reads_the_five_rows_that_end_at_it() -> None:
    """A change at one step moves that one and the four after it, and no other."""
    embedding, codes = make_embedding(), draw_codes(CHARACTERS + 1)
    before = embedding(light(codes, CHARACTERS))
    for place in range(STEPS):
        changed = codes.clone()
        changed[:, place] = (changed[:, place] + 1) % (CHARACTERS + 1)
        moved = (embedding(light(changed, CHARACTERS)) != before).any(2)
        expected = [place <= step < place + max(LENGTHS) for step in range(STEPS)]
        assert moved.tolist() == [expected] * len(codes)


@torch.inference_mode()
def test_what_was_never_learned_adds_nothing() -> None:
    """A fresh embedding is its linear layer."""
    embedding, rows = NGrams(7, 4), light(draw_codes(8), 7)
    assert torch.equal(embedding(rows), embedding.rows(rows))


@torch.inference_mode()
def test_without_layers_it_is_a_linear_model(tmp_path: Path) -> None:
    """Of the mean and the greatest of the vectors, by hand; ONNX Runtime has the same answers."""
    runtime = pytest.importorskip("onnxruntime")
    space = SequenceChain()
    network = space.build(space.portfolio["n-grams"], Shape(CHARACTERS, STEPS, 1, 3), hidden=16).eval()
    network.embedding = make_embedding(width=16)
    rows = light(draw_codes(CHARACTERS + 1), CHARACTERS)
    images = rows.transpose(1, 2)[..., None]
    vectors = network.embedding(rows)
    expected = network.head(torch.cat([vectors.amax(1), vectors.mean(1)], 1))
    torch.testing.assert_close(network(images), expected)
    write_network(network, images, tmp_path / "network.onnx")
    session = runtime.InferenceSession(tmp_path / "network.onnx")
    found = torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
