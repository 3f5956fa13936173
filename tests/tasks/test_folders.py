"""Folders as people have them: which folders are parts, which are classes, and what is passed over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusals import refused

from cambrian.errors import DataError, UsageError
from cambrian.tasks import Task, list_images, load
from cambrian.tasks.part_names import part_of

RNG = np.random.default_rng(5)


def fill(folder: Path, count: int = 6, ending: str = ".png", form: str | None = None) -> Path:
    """So many images of noise."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        image = Image.fromarray(RNG.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        image.save(folder / f"{i}{ending}", form)
    return folder


def classes(folder: Path, names: tuple[str, ...] = ("cat", "dog"), count: int = 6) -> Path:
    for name in names:
        fill(folder / name, count)
    return folder


def said(task: Task) -> str:
    return "\n".join(task.warnings)


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("Training", "Validation", "Testing"),
        ("TRAIN", "dev", "TEST"),
        ("training_set", "validation-set", "test_set"),
        ("TrainSet", "ValSet", "TestSet"),
        ("train_images", "eval_images", "test_images"),
        ("trainset", "valset", "testset"),
        ("train2017", "val2017", "test2017"),
        ("seg_train", "seg_val", "seg_test"),
        ("train", "dev", "eval"),
        ("train", "valid", "holdout"),
    ],
)
def test_parts_by_any_name(tmp_path, train, validation, test) -> None:
    """The usual names of parts, in any writing, are never classes."""
    for name, count in ((train, 6), (validation, 2), (test, 3)):
        classes(tmp_path / name, count=count)
    task = load(tmp_path)
    assert task.labels == ("cat", "dog")
    assert task.sizes == {"train": 12, "validation": 4, "test": 6}


@pytest.mark.parametrize(
    "name", ["bus", "train station", "test_tube", "trainers", "contest", "retrain", "evil"]
)
def test_names_that_say_no_part(name) -> None:
    """Classes whose names contain those of parts: they say something else, too, or are other words."""
    assert part_of(name) is None or part_of(name)[1] != ""


def test_a_class_called_as_a_part_with_another_word(tmp_path) -> None:
    """Test tubes, bus stations and train stations are classes."""
    task = load(classes(tmp_path, ("test tube", "train station", "bus station")))
    assert task.labels == ("bus station", "test tube", "train station")


def test_what_lies_beside_parts_is_told(tmp_path) -> None:
    """Folders and files beside the parts are passed over, by name and number."""
    classes(tmp_path / "train")
    classes(tmp_path / "valid", count=2)
    fill(tmp_path / "sample" / "train" / "cat", 3)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "read.txt").write_text("by hand")
    (tmp_path / "README.md").write_text("text")
    fill(tmp_path, 1)
    task = load(tmp_path)
    assert task.labels == ("cat", "dog")
    for part in ("'sample' (3 images)", "'annotations' (no images)", "'notes' (no images)"):
        assert part in said(task)
    assert "passed over 1 image that lies in no class folder" in said(task)
    assert "(parts=no makes every folder a class)" in said(task)


def test_an_empty_folder_beside_parts(tmp_path) -> None:
    """What was to be in it may be missing: a sentence that names it and the way on, which works."""
    classes(tmp_path / "train")
    (tmp_path / "new").mkdir()
    refused(tmp_path, r"new: an empty folder beside the part 'train': remove it, or .*parts=yes")
    assert load(tmp_path, parts="yes").labels == ("cat", "dog")
    assert load(tmp_path, parts="train").labels == ("cat", "dog")


@pytest.mark.parametrize(
    "name", ["lost+found", "@eaDir", "__MACOSX", "$RECYCLE.BIN", ".git", ".ipynb_checkpoints", "Thumbs.db"]
)
def test_what_systems_leave_behind(tmp_path, name) -> None:
    """No class and no image, whatever is in it; folders that are not hidden are told."""
    classes(tmp_path)
    fill(tmp_path / name / "cat")
    fill(tmp_path / "cat" / name)
    task = load(tmp_path)
    assert (task.labels, len(task.inputs)) == (("cat", "dog"), 12)
    assert (name in said(task)) == (name[0] != ".")


def test_vehicles(tmp_path) -> None:
    """A folder called train that holds images itself, beside other classes, is a class; so with kinds."""
    task = load(classes(tmp_path / "plain", ("train", "bus", "car")))
    assert task.labels == ("bus", "car", "train")
    assert "'train' is taken for a class" in said(task)
    for vehicle, kinds in {"train": ("steam", "tram"), "bus": ("city", "school"), "car": ("van",)}.items():
        classes(tmp_path / "kinds" / vehicle, kinds)
    assert load(tmp_path / "kinds").labels == ("bus", "car", "train")


def test_parts_can_be_named(tmp_path) -> None:
    """The option overrides the guess, in either direction, and knows what there is."""
    classes(tmp_path / "train")
    classes(tmp_path / "more", count=2)

    def labels(*parts: str) -> tuple[tuple[str, ...], int]:
        task = load(tmp_path, parts=",".join(parts))
        return task.labels, task.sizes["test"]

    assert labels("no")[0] == ("more", "train")
    assert labels("train", "more") == (("cat", "dog"), 4)
    assert labels("more", "train") == (("cat", "dog"), 12)
    fill(tmp_path / "loose")
    with pytest.raises(DataError, match="loose: holds images but no class folders"):
        labels("loose", "train")
    with pytest.raises(UsageError, match=r"there is no 'mor'.*did you mean 'more'"):
        labels("train", "mor")


def test_a_part_without_classes(tmp_path) -> None:
    """Images to be judged by that have no class are passed over, and counted; they are not a class."""
    for i, train in enumerate(("", "train/")):
        root = tmp_path / str(i)
        classes(root / train, ("NG", "OK"))
        fill(root / "test", 3)
        task = load(root)
        assert task.labels == ("NG", "OK")
        assert "'test' (3 images, no class folders)" in said(task)


def test_parts_without_any_classes(tmp_path) -> None:
    """Where nothing but parts holds images, or a part would be one of two classes, a sentence says so."""
    fill(tmp_path / "a" / "train")
    fill(tmp_path / "a" / "test")
    refused(tmp_path / "a", "holds images but no class folders.*parts=no")
    classes(tmp_path / "b", ("control", "test"))
    refused(tmp_path / "b", "test: holds images but no class folders.*parts=no if 'test' is a class")
    classes(tmp_path / "c" / "test")
    refused(tmp_path / "c", "there is no training part beside")
    classes(tmp_path / "d" / "val")
    fill(tmp_path / "d" / "train")
    refused(tmp_path / "d", "train: holds images but no class folders")


def test_classes_beside_their_test_part(tmp_path) -> None:
    """cat/, dog/ and test/cat, test/dog: the test part has the classes of the folders beside it."""
    classes(tmp_path)
    classes(tmp_path / "test", count=2)
    task = load(tmp_path)
    assert task.labels == ("cat", "dog")
    assert task.sizes["test"] == 4


def test_wrapped_parts(tmp_path) -> None:
    """Archives that unpack to train/train/cat, and images/ between a part and its classes."""
    classes(tmp_path / "training_set" / "training_set")
    classes(tmp_path / "test_set" / "images", count=2)
    task = load(tmp_path)
    assert task.labels == ("cat", "dog")
    assert task.sizes["test"] == 4


def test_test_part_of_other_classes(tmp_path) -> None:
    """test/unknown/ as torchvision's ImageFolder needs it is passed over, and told."""
    classes(tmp_path / "train")
    fill(tmp_path / "test" / "unknown", 3)
    task = load(tmp_path)
    assert task.labels == ("cat", "dog")
    assert "'unknown' (3 images) are not classes of the training part" in said(task)


def test_any_ending(tmp_path) -> None:
    """Images are read by their ending or first bytes; what else there is, is counted by its kind."""
    classes(tmp_path, count=3)
    for form, ending in (("JPEG", ".jfif"), ("JPEG", ".JPE"), ("PNG", ".PNG"), ("JPEG", ""), ("PNG", ".001")):
        fill(tmp_path / "cat" / f"of{ending}", 2, ending, form)
    for name in ("a.txt", "b.txt", "c.heic", "d"):
        (tmp_path / "dog" / name).write_text("no image")
    fill(tmp_path / "dog" / "cut", 2, ".jpg.part", "JPEG")
    task = load(tmp_path)
    assert len(task.inputs) == 2 * 3 + 5 * 2
    for part in ("6 files are not of a kind", "2 .txt", "1 .heic", "2 .part", "1 without an ending"):
        assert part in said(task)


@pytest.mark.parametrize("place", ["", "cat/deeper"])
def test_links_back(tmp_path, place) -> None:
    """A link to a folder it lies in would hold everything again: it is refused, or not followed."""
    classes(tmp_path)
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "again").symlink_to(tmp_path)
    if place:
        assert len(load(tmp_path).inputs) == 12
    else:
        refused(tmp_path, "again: a link that leads back")


def test_several_broken_images_are_named_at_once(tmp_path) -> None:
    """Those whose header is broken, and those that are cut off."""
    classes(tmp_path, count=9)
    for name in "257":
        path = tmp_path / "dog" / f"{name}.png"
        path.write_bytes(path.read_bytes()[:60])
    refused(tmp_path, r"2\.png: a corrupt .*\(3 images in all cannot be read; also in 5\.png, 7\.png\)")
    (tmp_path / "cat" / "4.png").write_bytes(b"no image")
    refused(tmp_path, r"4\.png: a corrupt .*\(4 images in all .* also in 2\.png, 5\.png, 7\.png\)")


def test_one_thin_image(tmp_path) -> None:
    """Images are scaled to the size of the others, and to none larger than networks for photographs take."""
    classes(tmp_path)
    Image.new("RGB", (1, 4)).save(tmp_path / "cat" / "thin.png")
    task = load(tmp_path)
    assert task.inputs.shape == (13, 4, 4, 3)
    assert "13 images have 2 sizes, from 1 x 4 pixels" in task.warnings[0]
    rng = np.random.default_rng(0)
    for n, name in enumerate(("cat", "dog") * 3):
        (tmp_path / "large" / name).mkdir(parents=True, exist_ok=True)
        photo = rng.integers(0, 256, (240 + n, 300, 3), dtype=np.uint8)
        Image.fromarray(photo).save(tmp_path / "large" / name / f"{n}.png")
    assert load(tmp_path / "large").inputs.shape == (6, 224, 224, 3)


def test_folders_in_folders_of_images(tmp_path) -> None:
    """A folder stands for the images within it; one without images is refused."""
    fill(tmp_path / "in" / "deeper", 2)
    (tmp_path / "in" / "notes.txt").write_text("text")
    assert list_images([tmp_path / "in", "x.png"]) == [
        *(tmp_path / "in" / "deeper" / f"{i}.png" for i in range(2)),
        Path("x.png"),
    ]
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="none: the folder holds no images"):
        list_images([tmp_path / "none"])


def test_folders_within_a_class_are_said_to_be_of_it(tmp_path) -> None:
    """They may have been meant as classes; a single one within is where a class lies, and says nothing."""
    for place in ("animals/cats", "animals/dogs", "plants/all"):
        fill(tmp_path / place, 3)
    task = load(tmp_path)
    assert task.labels == ("animals", "plants")
    assert any(
        "all folders within a class folder are of its class: in 'animals' 'cats', 'dogs'" in sentence
        and "plants" not in sentence
        for sentence in task.warnings
    )


def test_parts_within_classes(tmp_path) -> None:
    """cat/train, cat/test, dog/train, dog/test: the test images are not trained on."""
    for name in ("cat", "dog"):
        fill(tmp_path / name / "train", 6)
        fill(tmp_path / name / "test", 3)
    task = load(tmp_path)
    assert (task.labels, task.sizes["test"]) == (("cat", "dog"), 6)
    assert "every class holds its own parts: 'train' is the training part" in said(task)


def test_eval_is_the_test_part_where_there_is_a_validation_part(tmp_path) -> None:
    """A guess, and therefore said."""
    for name, count in (("train", 6), ("valid", 2), ("eval", 3)):
        classes(tmp_path / name, count=count)
    task = load(tmp_path)
    assert task.sizes == {"train": 12, "validation": 4, "test": 6}
    assert "'eval' is the test part" in said(task)


def test_accents_in_either_writing(tmp_path) -> None:
    """Archives of one system write them as one character, those of another as two: one class."""
    classes(tmp_path / "train", ("caf\u00e9", "pub"))
    classes(tmp_path / "test", ("cafe\u0301", "pub"), 2)
    task = load(tmp_path)
    assert task.labels == ("caf\u00e9", "pub")
    assert task.sizes["test"] == 4
