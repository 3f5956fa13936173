"""ONNX files: the same outputs for any number of images, in 32 bits; within the bounds of rounding in 8."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn

from cambrian.errors import ExportMismatch, MissingExtra, UsageError
from cambrian.exports.export import export_network
from cambrian.exports.int8 import add_int8, check_classes
from cambrian.exports.onnx_card import describe_in_words
from cambrian.networks.measure.measure import find_measure
from cambrian.networks.measure.measure_network import measure_network
from cambrian.networks.measure.runtimes import RUNTIMES
from cambrian.networks.onnx.onnx_file import write_network
from cambrian.networks.onnx.quantised import quantise
from cambrian.networks.onnx.session import BATCH, Session
from small_training import bars

pytestmark = pytest.mark.usefixtures("clean_is_forked")


class TwoHeads(nn.Module):
    """A network with normalisation and a second head, as auxiliary ones are."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        self.head, self.other = nn.Linear(6, 4), nn.Linear(6, 4)

    def forward(self, images: torch.Tensor) -> Any:
        features = self.body(images).mean((2, 3))
        return self.head(features), self.other(features)


def small_network() -> nn.Module:
    torch.manual_seed(0)
    network = TwoHeads()
    network(torch.randn(16, 1, 8, 8))  # running statistics that are not the initial ones
    return network.eval()


@pytest.fixture(scope="module")
def task() -> Any:
    return bars()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, task: Any) -> Path:
    """An export with both files; the clean process is a new interpreter here."""
    place = tmp_path_factory.mktemp("onnx") / "net"
    export_network(small_network(), task.summary(), place, architecture_json={}, onnx=True)
    add_int8(place, task)
    return place


def test_the_file_gives_the_networks_logits_for_any_number_of_images(exported: Path, task: Any) -> None:
    """For 1, 7 and more images than are run at once, by ONNX Runtime, as torch computes them; the second
    head is left out, and the file is one that onnx's own checker accepts."""
    onnx.checker.check_model(onnx.load(exported / "program.onnx"), full_check=True)
    session, network = Session(exported / "program.onnx"), small_network()
    for count in (1, 7, BATCH + 3):
        images = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(count))
        with torch.inference_mode():
            expected = network((images - task.mean[0]) / task.std[0])[0]
        np.testing.assert_allclose(session(images.numpy()), expected.numpy(), atol=1e-5)


def test_the_card_says_how_near_how_fast_and_what_8_bits_cost(exported: Path, task: Any) -> None:
    """Differences below 1e-4, times with their protocol, and accuracies on the test part as onnx's reference
    evaluator, another implementation, counts them."""
    facts = json.loads((exported / "model.json").read_text())
    assert 0 <= facts["onnx"]["verified_difference"] <= 1e-4
    images = np.asarray(task.inputs[task.test]).transpose(0, 3, 1, 2).astype(np.float32) / 255
    for name, key in (("program.onnx", "float_accuracy"), ("program.int8.onnx", "accuracy")):
        logits = ReferenceEvaluator(str(exported / name)).run(None, {"images": images})[0]
        # A logit near a step of the 8 bits may fall on either side of it, for one image in thirty.
        share = np.mean(logits.argmax(1) == task.targets[task.test])
        assert abs(facts["int8"][key] - share) <= 1 / len(images) + 1e-9
    for card in (facts["onnx"], facts["int8"]):
        assert 0 < card["latency"]["low_ms"] <= card["latency"]["median_ms"] <= card["latency"]["high_ms"]
        assert card["bytes"] == (exported / card["file"]).stat().st_size
    lines = describe_in_words(facts)
    assert "1 thread" in lines[0]
    assert f"on {len(task.test)} test images" in lines[1]
    assert describe_in_words({}) == []


def test_a_wrong_file_is_not_delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose outputs differ by 2e-4 is found by running it, and nothing is left."""
    from cambrian.networks.onnx import onnx_file

    write = onnx_file.write_program

    def write_shifted(program: Any, path: Path) -> None:
        write(program, path)
        model = onnx.load(path)
        model.graph.node.add(op_type="Add", input=["logits", "shift"], output=["shifted"])
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(2e-4), "shift"))
        model.graph.output[0].name = "shifted"
        onnx.save(model, path)

    monkeypatch.setattr(onnx_file, "write_program", write_shifted)
    with pytest.raises(ExportMismatch, match=r"ONNX program's outputs differ .* more than 0.0001"):
        export_network(small_network(), bars().summary(), tmp_path / "x", architecture_json={}, onnx=True)
    assert not list(tmp_path.iterdir())


def test_rounding_keeps_its_bounds(tmp_path: Path) -> None:
    """Of a linear network: weights are off by half a step of their row, inputs and outputs by half a step of
    their range at most, so that a product w x is off by |w| dx + |x| dw + dw dx at most; and rounding is
    done at all."""
    torch.manual_seed(0)
    layer = nn.Linear(12, 4, bias=False)
    network = nn.Sequential(nn.Flatten(), layer).eval()
    images = torch.rand(64, 1, 3, 4)
    write_network(network, images, tmp_path / "float.onnx")
    quantise(tmp_path / "float.onnx", tmp_path / "int8.onnx", images.numpy())
    given = Session(tmp_path / "int8.onnx")(images.numpy())
    x, w = images.flatten(1).double().numpy(), layer.weight.detach().double().numpy()
    exact = x @ w.T
    dw = np.abs(w).max() / 64 / 2  # of the whole matrix, the widest row's; weights have seven bits
    dx = x.max() / 254 / 2
    dy = (max(exact.max(), 0) - min(exact.min(), 0)) / 254 / 2
    bound = np.abs(w).sum(1) * dx + x.sum(1, keepdims=True) * dw + 12 * dw * dx + 1.5 * dy
    assert (np.abs(given - exact) <= bound + 1e-6).all()
    assert np.abs(given - exact).max() > 1e-5


def test_every_runtime_computes_the_network() -> None:
    """What is timed is the same function: torch as written, its exported program, ONNX Runtime."""
    network, batch = small_network(), torch.rand(1, 1, 8, 8)
    with torch.no_grad():
        outputs = [prepare(network, batch, "cpu", 1)() for prepare in RUNTIMES.values()]
        logits = [np.asarray(each[0] if isinstance(each, tuple) else each) for each in outputs]
    for each in logits[1:]:
        np.testing.assert_allclose(each, logits[0], atol=1e-5)


@pytest.mark.slow
def test_latency_is_measured_in_each_runtime() -> None:
    """As a limit names it: a time above 0 with its spread, and words for where it was taken."""
    for runtime, words in (("exported", "of the exported program"), ("onnxruntime", "by ONNX Runtime")):
        name = f"latency(runtime={runtime}, runs=6)"
        metrics = measure_network([name], small_network(), (1, 8, 8))
        assert metrics[name] > 0
        assert metrics[f"{name}_spread"] >= 0
        assert words in find_measure(name).protocol("cpu")


def test_a_runtime_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another name, another device, a package that is not installed: before anything is built."""
    with pytest.raises(UsageError, match="no runtime 'onnxruntim'; did you mean 'onnxruntime'"):
        find_measure("latency(runtime=onnxruntim)")
    with pytest.raises(UsageError, match="measured on the CPU, and the search is on cuda: add --device cpu"):
        find_measure("latency(runtime=onnxruntime)").protocol("cuda")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'cambrian\[export\]'"):
        find_measure("latency(runtime=onnxruntime)")


def test_8_bits_are_counted_in_classes(task: Any) -> None:
    """Data with numbers to predict are refused before anything is written."""
    check_classes(task)
    with pytest.raises(UsageError, match="these data have other targets: leave out --int8"):
        check_classes(SimpleNamespace(targets=np.zeros(3)))  # type: ignore[arg-type]


def test_what_onnx_cannot_write_is_one_sentence(tmp_path: Path) -> None:
    """An operation without a counterpart is named."""

    class Odd(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvals(images[:, 0]).abs()

    with pytest.raises(UsageError, match="cannot be written as ONNX") as caught:
        write_network(Odd(), torch.rand(2, 1, 4, 4), tmp_path / "odd.onnx")
    assert "\n" not in str(caught.value)
