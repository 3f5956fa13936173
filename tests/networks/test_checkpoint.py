"""Checkpoints: whole or not there, whatever happens while they are written and to the files later."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save_file
from torch import nn

from cambrian.errors import DiskRefused, RunError
from cambrian.networks import checkpoint
from cambrian.networks.checkpoint import latest, write
from power import PowerFailure, failing_after

MINE = "0123"


def leave(directory: Path, *numbers: int) -> None:
    for n in numbers:
        state = {"identity": MINE, "number": n, "loss": 0.1 + n, "curve": [{"a": 1e-300}]}
        write(directory, n, {"w": torch.full((3, 2), float(n))}, state)


def found(directory: Path) -> int | None:
    """The number of the checkpoint that is found, its tensors and state agreeing."""
    read = latest(directory, MINE)
    if read is None:
        return None
    tensors, state = read
    assert torch.equal(tensors["w"], torch.full((3, 2), float(state["number"])))
    assert state["loss"] == 0.1 + state["number"]
    return int(state["number"])


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    """Older ones go, both files of them; the newest is found, in the order of numbers."""
    leave(tmp_path, 8, 9, 10, 100)
    ends = ("json", "safetensors")
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{n:08d}.{e}" for n in (10, 100) for e in ends]
    assert found(tmp_path) == 100


def test_nothing_there(tmp_path: Path) -> None:
    """No directory and an empty one hold no checkpoint, without a word in the log."""
    assert found(tmp_path / "absent") is None
    assert found(tmp_path) is None


def test_tensors_come_back_bit_for_bit(tmp_path: Path) -> None:
    """Of every type that trainings have, NaN, channels last, views and scalars included."""
    tensors = {
        "nan": torch.tensor([float("nan"), -0.0, float("inf")]),
        "last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "count": torch.tensor(7),
        "half": torch.randn(5).bfloat16(),
        "view": torch.randn(4, 4)[:, 1],
        "mask": torch.tensor([True, False]),
    }
    write(tmp_path, 1, tensors, {"identity": MINE})
    read = latest(tmp_path, MINE)
    assert read is not None
    for name, tensor in tensors.items():
        assert read[0][name].dtype == tensor.dtype
        assert torch.equal(read[0][name].nan_to_num(9), tensor.nan_to_num(9))


@pytest.mark.damage
@pytest.mark.parametrize("name", ["00000002.json", "00000002.safetensors"])
def test_every_flipped_bit_is_noticed(name: str, tmp_path: Path, caplog: Any) -> None:
    """A bit flipped in any byte of either file leads to the previous checkpoint, and the log says so;
    or, where JSON has several spellings for the same, to the same content."""
    leave(tmp_path, 1, 2)
    path = tmp_path / name
    whole = path.read_bytes()
    passed_over = 0
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1 << i % 8]) + whole[i + 1 :])
        number = found(tmp_path)
        assert number in (1, 2)
        passed_over += number == 1
    assert passed_over >= 0.8 * len(whole)
    assert "trying an older one" in caplog.text


@pytest.mark.damage
@pytest.mark.parametrize("name", ["00000002.json", "00000002.safetensors"])
def test_every_truncation_is_noticed(name: str, tmp_path: Path) -> None:
    """Cut anywhere, or gone, the previous checkpoint is used."""
    leave(tmp_path, 1, 2)
    whole = (tmp_path / name).read_bytes()
    for length in range(len(whole)):
        (tmp_path / name).write_bytes(whole[:length])
        assert found(tmp_path) == 1
    (tmp_path / name).unlink()
    assert found(tmp_path) == 1


def test_both_damaged_is_from_scratch(tmp_path: Path, caplog: Any) -> None:
    """Without a whole checkpoint there is none, and the log says what that means."""
    leave(tmp_path, 1, 2)
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(b"")
    assert found(tmp_path) is None
    assert "starting from scratch" in caplog.text


def test_somebody_elses_is_not_used(tmp_path: Path) -> None:
    """A checkpoint of another identity is passed over."""
    leave(tmp_path, 1)
    write(tmp_path, 2, {"w": torch.zeros(1)}, {"identity": "another"})
    assert found(tmp_path) == 1


@pytest.mark.damage
def test_a_failure_at_any_call_leaves_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing the third checkpoint is cut short before each of its system calls in turn: the second or
    the third is found, and writing it anew succeeds."""
    outcomes = []
    for k in range(1000):
        directory = tmp_path / str(k)
        leave(directory, 1, 2)
        try:
            with failing_after(k, monkeypatch):
                leave(directory, 3)
            break
        except PowerFailure:
            pass
        outcomes.append(found(directory))
        leave(directory, 3)
        assert found(directory) == 3
    assert set(outcomes) == {2, 3}
    assert outcomes == sorted(outcomes)
    assert len(outcomes) >= 8  # two files: flush, rename, open the directory, flush it


def test_weights_come_back(tmp_path: Path) -> None:
    """Saved and loaded, with the right hash, a network computes the same."""
    one, other = (nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)) for _ in range(2))
    path = tmp_path / "new" / "weights.safetensors"
    checkpoint.save_weights(one.to(memory_format=torch.channels_last), path)
    checkpoint.load_weights(other, path, hashlib.sha256(path.read_bytes()).hexdigest())
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    # In the same memory format: another one may be computed in another order.
    other.to(memory_format=torch.channels_last)
    x = torch.randn(2, 1, 5, 5)
    assert torch.equal(one.eval()(x), other.eval()(x))


def test_weights_that_cannot_be_used(tmp_path: Path) -> None:
    """Not there, changed, no safetensors, of another network: each is a RunError that names the file."""
    path = tmp_path / "weights.safetensors"
    network = nn.Linear(2, 2)
    with pytest.raises(RunError, match=r"weights\.safetensors"):
        checkpoint.load_weights(network, path)
    checkpoint.save_weights(nn.Linear(2, 3), path)
    with pytest.raises(RunError, match=r"weights\.safetensors is not the file"):
        checkpoint.load_weights(network, path, "0" * 64)
    with pytest.raises(RunError, match=r"weights\.safetensors are of another network"):
        checkpoint.load_weights(network, path)
    path.write_bytes(b"not tensors")
    with pytest.raises(RunError, match=r"weights\.safetensors is not a safetensors"):
        checkpoint.load_weights(network, path)


def test_the_same_weights_and_texts_are_the_same_bytes() -> None:
    """Artifacts are named by their hash: several texts are in one order, whatever safetensors does."""
    tensors, facts = {"w": torch.ones(3), "b": torch.zeros(2, 2)}, {"b": "ü\n", "a": '{"x": 1}', "c": ""}
    files = {checkpoint.serialise(tensors, facts) for _ in range(20)}
    assert len(files) == 1
    assert torch.equal(load(files.pop())["w"], tensors["w"])


def test_tensors_and_texts_come_back(tmp_path: Path) -> None:
    """Of a file that is not there, or is none of safetensors, the sentence names the file."""
    path, facts = tmp_path / "new" / "tensors.safetensors", {"b": "2", "a": "ü"}
    checkpoint.save_tensors(path, {"w": torch.arange(3.0)}, facts)
    tensors, texts = checkpoint.load_tensors(path)
    assert torch.equal(tensors["w"], torch.arange(3.0))
    assert texts == checkpoint.load_facts(path) == facts
    checkpoint.save_tensors(path, {"w": torch.ones(1)}, {})
    assert checkpoint.load_tensors(path)[1] == checkpoint.load_facts(path) == {}
    path.write_bytes(b"not tensors")
    for load_it in (checkpoint.load_tensors, checkpoint.load_facts):
        with pytest.raises(RunError, match=r"tensors\.safetensors is not a safetensors file"):
            load_it(path)
        with pytest.raises(RunError, match=r"absent cannot be read"):
            load_it(tmp_path / "absent")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_of_torch_save_is_told_how_to_be_converted(tmp_path: Path, zipped: bool) -> None:
    """Both of its formats, by the line that is printed, which gives the tensors; nothing is unpickled."""
    network, path = nn.Linear(2, 2), tmp_path / "w.pth"
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=zipped)
    for load_it in (
        checkpoint.load_tensors,
        checkpoint.load_facts,
        lambda path: checkpoint.load_weights(network, path),
    ):
        with pytest.raises(RunError, match=r"w\.pth is not a safetensors file: torch\.save wrote it") as told:
            load_it(path)
    assert "save_file(torch.load('w.pth', weights_only=True), 'w.safetensors')" in str(told.value)
    save_file(torch.load(path, weights_only=True), tmp_path / "w.safetensors")
    assert torch.equal(checkpoint.load_tensors(tmp_path / "w.safetensors")[0]["weight"], network.weight)


def test_what_the_disk_refuses_is_said(tmp_path: Path) -> None:
    """With a file in the way of the folder: an error of the disk's, which names the place."""
    (tmp_path / "file").write_bytes(b"")
    inside = tmp_path / "file" / "inside"
    for refused in (
        lambda: write(inside, 1, {}, {"identity": MINE}),
        lambda: checkpoint.save_tensors(inside / "x", {}, {}),
        lambda: checkpoint.save_weights(nn.Linear(1, 1), inside / "x"),
    ):
        with pytest.raises(DiskRefused, match=r"the disk refused .*inside.*: Not a directory"):
            refused()
