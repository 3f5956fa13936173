"""A result's network: it takes the pixels that an export takes, and classifies images as they come."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cambrian
from cambrian.errors import DataError, RunError, UsageError
from cambrian.networks.normalisation import as_inputs
from cambrian.search.delivery.prediction import Predictions, read_pixels
from cambrian.search.loop.final import Final
from cambrian.search.result import Result


@cambrian.space
def net(pick: Any, task: Any) -> Any:
    width = pick("width", [4, 8])
    inputs = task.channels * task.height * task.width
    return lambda: nn.Sequential(nn.Flatten(), nn.Linear(inputs, width), nn.Linear(width, task.classes))


def search(place: Path, resolution: int | None = None) -> Result:
    task = cambrian.load("digits", limit=300)
    fidelity = cambrian.Fidelity(2, resolution=resolution)
    final = Final(fidelity, top=1, baselines=())
    return cambrian.Search(net, "random", "train", task, 1, final=final, fidelity=fidelity).run(place)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return search(tmp_path_factory.mktemp("prediction") / "run")


def images_of(result: Result, count: int = 20) -> Any:
    assert result.task is not None
    return np.asarray(result.task.inputs[result.task.test[:count]])


@pytest.mark.usefixtures("clean_is_forked")
def test_the_model_takes_the_pixels_of_the_export(result: Result, tmp_path: Path) -> None:
    """Bytes divided by 255, and no normalisation by the user: the same logits as the exported program's."""
    inputs = as_inputs(images_of(result))
    program = torch.export.load(cambrian.export(result, tmp_path / "out") / "program.pt2").module()
    with torch.no_grad():
        assert torch.allclose(result.model()(inputs), program(inputs), atol=1e-5)
    assert not result.model().training


def test_predictions_of_an_array(result: Result) -> None:
    """Classes by name, and the softmax of the model's logits; the same for bytes, floats, and grey images
    without a channel."""
    images = images_of(result)
    with torch.no_grad():
        wanted = result.model()(as_inputs(images)).softmax(1).numpy()
    floats = images.astype(np.float64) / 255
    for given in (images, images.astype(np.int64), floats, images[..., 0], torch.from_numpy(images)):
        predicted = result.predict(given)
        assert np.allclose(predicted.probabilities, wanted, atol=1e-5)
        assert predicted.labels == tuple(predicted.classes[best] for best in wanted.argmax(1))
    assert result.task is not None
    assert predicted.classes == result.task.labels
    assert np.allclose(result.predict(images[3]).probabilities[0], wanted[3], atol=1e-5)


def test_predictions_of_files(result: Result, tmp_path: Path) -> None:
    """A folder, a list of paths and a single path: as the arrays that were written."""
    images = images_of(result, 3)
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image[..., 0]).save(path)
    wanted = result.predict(images)
    for given in (tmp_path, str(tmp_path), paths, [str(path) for path in paths]):
        predicted = result.predict(given)
        assert predicted.labels == wanted.labels
        assert np.array_equal(predicted.probabilities, wanted.probabilities)
    assert len(result.predict(paths[0])) == 1


def test_a_network_of_another_resolution(tmp_path: Path) -> None:
    """Images of the task's size are scaled as in training: it is right about most of those it learned."""
    result = search(tmp_path / "run", resolution=16)
    assert result.task is not None
    predicted = result.predict(images_of(result))
    assert isinstance(predicted, Predictions)
    assert np.allclose(predicted.probabilities.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (np.zeros((2, 1, 8, 8), np.uint8), r"of size \[8, 8, 1\], got an array of shape \[2, 1, 8, 8\]"),
        (np.zeros((2, 9, 9, 1), np.uint8), r"got an array of shape \[2, 9, 9, 1\]"),
        (np.full((2, 8, 8, 1), 300), "whole numbers from 0 to 255, or floats from 0 to 1, got int64"),
        (np.full((2, 8, 8, 1), 255.0), "floats from 0 to 1, got float64 from 255 to 255"),
        (np.full((2, 8, 8, 1), np.nan), "floats from 0 to 1"),
        (np.zeros((2, 8, 8, 1), bool), "got an array of bool"),
        (np.zeros((2, 8, 8, 1), "U1"), "got an array of <U1"),
        ([np.zeros((8, 8, 3)), np.zeros((9, 9, 3))], r"got an array of shape \[2, 8, 8, 3\]"),
    ],
)
def test_other_images_are_refused(result: Result, images: Any, says: str) -> None:
    """With the size and the unit that the task's images have."""
    with pytest.raises(DataError, match=says):
        result.predict(images)


def test_arrays_of_other_sizes(result: Result, tmp_path: Path) -> None:
    """In a list, each is scaled as the file that holds it is."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((8, 8), (9, 14), (30, 21))]
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    assert result.task is not None
    of_files = read_pixels(result.task, paths)
    assert np.array_equal(read_pixels(result.task, images), of_files)
    assert np.array_equal(read_pixels(result.task, images[1:2]), of_files[1:2])
    objects = np.empty(3, object)
    objects[:] = images
    assert np.array_equal(read_pixels(result.task, objects), of_files)


@pytest.mark.parametrize("shape", [(5, 9, 9), (5, 9, 9, 1)])
def test_grey_images_for_a_network_of_colours(shape: tuple[int, ...]) -> None:
    """As grey files are read: each of the three channels is the grey one, of many images and of one."""
    rng = np.random.default_rng(0)
    task = cambrian.load((rng.integers(0, 256, (40, 9, 9, 3), dtype=np.uint8), np.arange(40) % 2))
    grey = rng.integers(0, 256, shape, dtype=np.uint8)
    wanted = np.stack([grey.reshape(5, 9, 9)] * 3, axis=-1)
    assert np.array_equal(read_pixels(task, grey), wanted)
    assert np.array_equal(read_pixels(task, list(grey)), wanted)
    assert np.array_equal(read_pixels(task, grey[2]), wanted[2:3])


def test_images_of_floats(result: Result) -> None:
    """Are taken as they are; files and bytes do not have their unit."""
    assert result.task is not None
    task = dataclasses.replace(result.task, inputs=np.zeros((3, 8, 8, 1), np.float32))
    images = np.full((2, 8, 8, 1), -7.5)
    assert np.array_equal(read_pixels(task, images), images)
    with pytest.raises(DataError, match="images of float32, got an array of uint8"):
        read_pixels(task, images.astype(np.uint8))
    with pytest.raises(UsageError, match="float images, which files do not hold"):
        read_pixels(task, "image.png")


def test_a_result_without_a_network(tmp_path: Path) -> None:
    """In memory, and before the final stage: a sentence."""
    function = lambda network: 1.0  # noqa: E731
    task = cambrian.load("digits", limit=120)
    with pytest.raises(RunError, match="in memory"):
        cambrian.Search(net, "random", function, task, budget=1).run().predict(np.zeros((1, 8, 8, 1)))
    with pytest.raises(RunError, match="no trained network"):
        cambrian.Search(net, "random", function, task, budget=1).run(tmp_path / "run").model()
