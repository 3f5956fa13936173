"""Folders and image files as people have them: parts, transparency, 16 bits, odd endings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusals import refused

from cambrian.errors import CambrianError, DataError
from cambrian.tasks import Task, list_images, load, read_images
from cambrian.tasks.readers.folder import Folder

RNG = np.random.default_rng(5)


def picture(kind: int, size: tuple[int, int] = (8, 8)) -> np.ndarray:
    """Noise with a bright row that tells the class."""
    image = RNG.integers(0, 100, (*size, 3), dtype=np.uint8)
    image[kind] = 200
    return image


def classes(
    root: Path, names: list[str], count: int = 8, ending: str = "png", form: str | None = None
) -> Path:
    for kind, name in enumerate(names):
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            Image.fromarray(picture(kind)).save(root / name / f"{i}.{ending}", form)
    return root


@pytest.mark.parametrize(
    ("train", "test"),
    [("train", "test"), ("training_set", "test_set"), ("Train-Images", "TEST1"), ("trn", "testing")],
)
def test_parts_by_any_name(tmp_path, train, test):
    """A network never learns to tell train from test."""
    classes(tmp_path / train, ["cat", "dog"])
    classes(tmp_path / test, ["cat", "dog"], 3)
    task = load(tmp_path)
    assert task.labels == ("cat", "dog")
    assert task.sizes["test"] == 6


@pytest.mark.parametrize("beside", ["sample", "notes", "annotations", "@eaDir"])
def test_what_lies_beside_parts_is_passed_over(tmp_path, beside):
    """And it is said; an empty folder of an unknown name is asked about."""
    classes(tmp_path / "train", ["cat", "dog"])
    classes(tmp_path / "dev", ["cat", "dog"], 3)
    (tmp_path / beside).mkdir()
    if beside == "sample":
        classes(tmp_path / beside, ["cat"], 2)
    if beside == "notes":
        refused(tmp_path, "notes: an empty folder beside the parts 'train', 'dev'")
        assert load(tmp_path, parts="yes").labels == ("cat", "dog")
        return
    task = load(tmp_path)
    assert task.labels == ("cat", "dog")
    assert task.sizes["validation"] == 6
    assert any(beside in note and "passed over" in note for note in task.warnings)


def test_a_test_part_without_classes(tmp_path):
    """Images of which nobody knows the class are not a class, and it is said."""
    classes(tmp_path, ["OK", "NG"])
    classes(tmp_path, ["test"], 3)
    task = load(tmp_path)
    assert task.labels == ("NG", "OK")
    assert any("test" in note and "parts=no" in note for note in task.warnings)
    assert load(tmp_path, parts="no").labels == ("NG", "OK", "test")


def test_vehicles(tmp_path):
    """`train` may be a class; that it was taken as one is said."""
    task = load(classes(tmp_path, ["bus", "car", "train"]))
    assert task.labels == ("bus", "car", "train")
    assert any("parts=yes" in note for note in task.warnings)


def test_folders_of_tools(tmp_path):
    """lost+found is no class."""
    classes(tmp_path, ["a", "b"])
    (tmp_path / "lost+found").mkdir()
    assert load(tmp_path).labels == ("a", "b")


def drawings(root: Path, mode: str, ink: int) -> Path:
    """The shape is in the transparency alone."""
    for kind, name in enumerate(["line", "square"]):
        (root / name).mkdir(parents=True)
        for i in range(8):
            image = np.full((16, 16, 4), ink, np.uint8)
            image[..., 3] = 0
            image[2 + i % 5 : 6 + 4 * kind + i % 5, 3:13, 3] = 255
            drawn = Image.fromarray(image).convert(mode) if mode != "RGBA" else Image.fromarray(image)
            drawn.save(root / name / f"{i}.png")
    return root


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize(("ink", "ground"), [(0, "white"), (255, "black")])
def test_ink_on_a_transparent_ground_is_seen(tmp_path, mode, ink, ground):
    """Laid on white as viewers do, or on black where the ink is light; said, and the same when predicting."""
    task = load(drawings(tmp_path / "in", mode, ink))
    assert any(f"laid on {ground}" in note for note in task.warnings)
    values = {int(v) for v in np.unique(task.inputs)}
    assert values == {ink, 255 - ink}
    task.save(tmp_path / "task")
    saved = Task.open(tmp_path / "task")
    files = sorted((tmp_path / "in").rglob("*.png"))
    again = read_images(files, task.channels, 16, 16, saved.rendering)
    assert sorted(x.tobytes() for x in again) == sorted(x.tobytes() for x in task.inputs)


def test_the_ground_can_be_said(tmp_path):
    """An option overrides the guess."""
    root = drawings(tmp_path, "RGBA", 0)
    refused(root, "all 16 images hold the same value everywhere", background="black")
    assert load(root, background="white").inputs.max() == 255


def test_a_narrow_range_is_spread(tmp_path):
    """Detectors with an offset keep more than a hundred levels; levels= says otherwise."""
    for i in range(12):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        plane = RNG.integers(30_000, 30_200, (24, 24), dtype=np.uint16)
        Image.fromarray(plane).save(tmp_path / "ab"[i % 2] / f"{i}.tif")
    assert len(np.unique(load(tmp_path).inputs)) > 100
    assert load(tmp_path, levels="30000-30500").inputs.max() <= 102


def test_odd_endings_and_what_is_passed_over(tmp_path):
    """JPEGs under any name are read; files of other kinds are counted."""
    classes(tmp_path, ["a", "b"], 4, "jpg")
    classes(tmp_path, ["a", "b"], 20, "jfif", "JPEG")
    classes(tmp_path, ["a", "b"], 3, "unnamed", "JPEG")
    (tmp_path / "a" / "plain").write_bytes((tmp_path / "a" / "0.jpg").read_bytes())
    for n in range(3):
        (tmp_path / "b" / f"{n}.xml").write_text("<annotation/>")
    task = load(tmp_path)
    assert sum(task.sizes.values()) == 2 * 27 + 1
    assert any(
        "3 files are not of a kind that can be read as an image, and passed over: 3 .xml" in note
        for note in task.warnings
    )


def test_images_that_tell_nothing(tmp_path):
    """All alike are refused; a few of one colour are counted."""
    for name in ("a", "b"):
        (tmp_path / "same" / name).mkdir(parents=True)
        for i in range(5):
            Image.fromarray(np.full((6, 6), 7, np.uint8)).save(tmp_path / "same" / name / f"{i}.png")
    refused(tmp_path / "same", "all 10 images hold the same value everywhere")
    root = classes(tmp_path / "few", ["a", "b"])
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(root / "a" / "black.png")
    assert any("1 of 17 images hold a single colour" in note for note in load(root).warnings)


def test_a_thin_image_among_others(tmp_path):
    """Images are scaled to the usual size, not to the thin one's; where most are thin, a square would lose
    what they show, and no size is chosen."""
    root = classes(tmp_path, ["a", "b"])
    Image.fromarray(picture(0)[:, :1]).save(root / "a" / "thin.png")
    assert "thin.png" in load(root).warnings[0]
    assert load(root).inputs.shape[1:] == (8, 8, 3)
    strips = tmp_path / "strips"
    for name in ("a", "b"):
        (strips / name).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(picture(i % 2, (4, 20 + i))).save(strips / name / f"{i}.png")
    refused(strips, r"more than 4 times as long as wide, .* into squares with size=4 \(--size 4\)")
    assert load(strips, size=4).inputs.shape[1:] == (4, 4, 3)


def test_all_broken_files_are_named(tmp_path):
    """At once, not one a run."""
    root = classes(tmp_path, ["a", "b"])
    for name in ("2", "5", "7"):
        (root / "b" / f"{name}.png").write_bytes(b"no image")
    refused(root, r"2\.png: a corrupt .*\(3 images in all cannot be read; also in 5\.png, 7\.png\)")


def test_orientation_in_xmp(tmp_path):
    """Headers and pixels agree on which way up a picture is."""
    packet = (
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>"
        b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
        b"<rdf:Description xmlns:tiff='http://ns.adobe.com/tiff/1.0/' "
        b'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    for i in range(12):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        Image.fromarray(picture(i % 2, (10, 16))).save(tmp_path / "ab"[i % 2] / f"{i}.jpg", xmp=packet)
    assert load(tmp_path).inputs.shape[1:3] == (16, 10)


def test_a_folder_to_predict(tmp_path):
    """Its images, however deep; a folder without any is a sentence."""
    classes(tmp_path, ["a", "b"], 2)
    (tmp_path / "a" / "readme.txt").write_text("no image")
    assert len(list_images([tmp_path])) == 4
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="the folder holds no images"):
        list_images([tmp_path / "empty"])


def test_options_are_checked(tmp_path):
    """A value that an option does not take is a sentence."""
    root = classes(tmp_path, ["a", "b"])
    for wrong in ({"parts": "maybe"}, {"background": "blurple"}, {"levels": "bright"}):
        with pytest.raises(CambrianError):
            load(root, **wrong)
    assert Folder(str(root)).parts == "auto"


@pytest.mark.usefixtures("clean_is_forked")
def test_an_export_reads_images_as_they_were_for_training(tmp_path):
    """What transparent ink is laid on goes with the exported network."""
    from torch import nn

    from cambrian.exports.export import export_network
    from cambrian.exports.predict import model_facts

    task = load(drawings(tmp_path / "in", "RGBA", 0))
    network = nn.Sequential(nn.Flatten(), nn.Linear(16 * 16 * 3, 2))
    export_network(network, task.summary(), tmp_path / "out", architecture_json={})
    facts = model_facts(tmp_path / "out")
    assert facts["rendering"] == {"background": [255, 255, 255], "levels": [0, 65535]}
    files = sorted((tmp_path / "in").rglob("*.png"))
    again = read_images(files, 3, 16, 16, facts["rendering"])
    assert sorted(x.tobytes() for x in again) == sorted(x.tobytes() for x in task.inputs)
