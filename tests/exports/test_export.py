"""Exports: whole, verified in a clean process, or not there at all."""

import csv
import json
import os
import re
import runpy
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from cambrian.architecture import Architecture, sample
from cambrian.cli.export import predict as predict_command
from cambrian.errors import DataError, ExportMismatch, MissingExtra, UsageError
from cambrian.exports import export as exporting
from cambrian.exports.export import check_target, export_network
from cambrian.exports.predict import (
    Prediction,
    _choose_reading,
    _read_whole,
    check_table,
    predict,
    predict_files,
    write_table,
)
from cambrian.exports.readme import write_readme
from cambrian.exports.verification import Verified, verify
from cambrian.networks.normalisation import Normalised, as_inputs
from cambrian.networks.onnx.onnx_file import IMAGES
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.pictures.stages import stages
from cambrian.search.ledger.run_directory import LEDGER
from cambrian.search.parts.components import space_for, spec_of
from cambrian.tasks import read_images
from cambrian.testing import toy_task
from commands import run_clean

FACTS = {
    "name": "shapes <b>",
    "labels": ["a", "b", "c"],
    "mean": [0.4],
    "std": [0.2],
    "channels": 1,
    "height": 6,
    "width": 5,
    "stored": "uint8",
}
ANSWERS = {"answers": {"depth": 2}}

pytestmark = pytest.mark.usefixtures("clean_is_forked")


def small_network(seed=0):
    """With batch normalisation and dropout, so that its mode matters."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(8, 3),
    )
    network(torch.randn(16, 1, 6, 5))  # running statistics that are not the initial ones
    return network


def by_hand(network, images):
    """Probabilities without the program: bytes over 255, less the mean, over the deviation."""
    mean, std = np.array(FACTS["mean"]), np.array(FACTS["std"])
    inputs = torch.from_numpy(((images / 255.0 - mean) / std).transpose(0, 3, 1, 2)).float()
    with torch.inference_mode():
        return network.eval()(inputs).softmax(1).numpy()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """One export for all that only read it, verified in a new interpreter; exporting takes seconds."""
    network = small_network()
    return network, export_network(
        network, FACTS, tmp_path_factory.mktemp("out") / "net", architecture_json=ANSWERS
    )


def test_an_export_is_complete_and_leaves_the_network_as_it_was(exported):
    """All files, their content, and a network still in the mode it came in."""
    network, place = exported
    assert sorted(p.name for p in place.iterdir()) == [
        *("README.md", "architecture.json", "model.json", "network.py", "program.pt2"),
        *("sample.safetensors", "weights.safetensors"),
    ]
    assert sorted(p.name for p in place.parent.iterdir()) == ["net"]
    assert network.training
    record = json.loads((place / "model.json").read_text())
    assert {k: record[k] for k in FACTS} == FACTS
    assert record["verified_difference"] <= 1e-5
    assert json.loads((place / "architecture.json").read_text()) == ANSWERS
    fresh = small_network(1)
    fresh.load_state_dict(load_file(place / "weights.safetensors"))
    assert all(torch.equal(a, b) for a, b in zip(fresh.state_dict().values(), network.state_dict().values()))


def test_the_program_predicts_as_the_network_does(exported):
    """On bytes and on floats, for batches of 0, 1, 7 and more than are run at once."""
    network, place = exported
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 6, 5, 1), dtype=np.uint8)
    expected = by_hand(network, images)
    for count in (0, 1, 7, 300):
        found = predict(place, images[:count])
        assert found.shape == (count, 3)
        np.testing.assert_allclose(found, expected[:count], atol=1e-6)
    np.testing.assert_allclose(predict(place, (images[:9] / 255).astype(np.float32)), expected[:9], atol=1e-5)


def test_the_readmes_lines_work_with_torch_alone(exported):
    """The code in the export's README runs in a clean process and names a class."""
    _, place = exported
    code = (place / "README.md").read_text().split("```python\n")[1].split("```")[0]
    code += '\nimport sys; assert "cambrian" not in sys.modules'
    done = run_clean(code, place=place, strict=True)
    assert done.stdout.strip() in FACTS["labels"], done.stderr


def test_the_readme_says_how_a_file_becomes_an_input(exported):
    """Its lines give what `cambrian predict` reads of a turned photograph with a palette, to the byte."""
    _, place = exported
    tag = Image.Exif()
    tag[0x112] = 6
    photo = place / "photo.jpg"  # a PNG by its content, as Pillow and we read it
    drawn = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
    Image.fromarray(drawn).convert("P").save(photo, "PNG", exif=tag)
    code = (place / "README.md").read_text().split("```python\n")[2].split("```")[0]
    done = run_clean(
        f"import torch\n{code}\nprint((images * 255).round().int().flatten().tolist())", place=place
    )
    read = read_images([photo], 1, 6, 5, {})
    photo.unlink()
    assert json.loads(done.stdout) == read[0, :, :, 0].flatten().tolist(), done.stderr


def test_the_readme_says_how_onnx_runtime_is_called():
    """Where there is such a file; the name of its input is the file's."""
    text = write_readme({**FACTS, "stored": "uint8"}, "in [0, 1]", "", onnx=True)
    assert f'session.run(None, {{"{IMAGES}": images.numpy()}})' in text
    assert "onnx" not in write_readme({**FACTS, "stored": "uint8"}, "in [0, 1]", "")


@pytest.mark.parametrize("tested", [True, False])
def test_the_score_on_the_test_part_is_one(tested, tmp_path, monkeypatch):
    """The value of an estimator of one's own that never looked at the test part is none."""
    kept = []
    monkeypatch.setattr(exporting, "export_network", lambda network, facts, *_, **__: kept.append(facts))
    outcome = Done(0.75, {"test_loss": 0.5} if tested else {})
    trial = Trial(0, Architecture({}), Fidelity(), "final", "winner", outcome=outcome)
    run = SimpleNamespace(facts={}, model=lambda trial: SimpleNamespace(network=None))
    task = toy_task()
    exporting._export_trial(run, trial, task, tmp_path, onnx=False, int8=False)
    exporting._describe(kept[0], tmp_path, Verified(0.0, 0.0), "")
    record = json.loads((tmp_path / "model.json").read_text())
    assert record.get("test") == ({"metric": "accuracy", "value": 0.75, "images": 24} if tested else None)


def test_a_broken_program_is_not_delivered(tmp_path, monkeypatch):
    """A program that normalises wrongly is found by running it; nothing is left, and an earlier export
    stays as it was."""
    target = tmp_path / "net"
    target.mkdir()
    (target / "model.json").write_text("{}")

    def wrong(self, images):
        return self.network((images - self.mean) / self.std) + 2e-5

    monkeypatch.setattr(Normalised, "forward", wrong)
    with pytest.raises(ExportMismatch, match=r"differ from the network's by 2.*e-05, more than 1e-05"):
        export_network(small_network(), FACTS, target, architecture_json=ANSWERS)
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    assert [p.name for p in target.iterdir()] == ["model.json"]


def test_verification_runs_the_program_that_lies_there(tmp_path):
    """Outputs that are not finite, and a truncated program, are found."""
    place = doubling(tmp_path, torch.full((2, 3), float("nan")))
    with pytest.raises(ExportMismatch, match="differ"):
        verify(place)
    os.truncate(place / "program.pt2", 1000)
    with pytest.raises(ExportMismatch, match="does not run in a clean process"):
        verify(place)


@pytest.mark.parametrize("wrong", ["together", "single"])
def test_the_tolerance_is_absolute(tmp_path, wrong):
    """1e-5, all images at once and one by one: it does not grow with logits of ten."""
    ten = torch.full((2, 3), 10.0)
    logits = {"together": ten, "single": ten.clone(), wrong: ten + 1.5e-5}
    with pytest.raises(ExportMismatch, match=r"by 1.5\de-05, more than 1e-05"):
        verify(doubling(tmp_path, logits["together"], logits["single"], inputs=5.0))


def test_large_logits_are_met(tmp_path):
    """A network whose logits are a thousand times as large is exported, within its last bits."""
    network = small_network()
    with torch.no_grad():
        network[-1].weight *= 1000
    place = export_network(network, FACTS, tmp_path / "net", architecture_json=ANSWERS)
    largest = float(load_file(place / "sample.safetensors")["logits"].abs().max())
    assert largest > 50
    assert json.loads((place / "model.json").read_text())["verified_difference"] <= 5e-7 * largest


def test_what_needs_cambrian_is_not_delivered(tmp_path, monkeypatch):
    """The clean process cannot import cambrian, although it is installed here."""
    from cambrian.exports import verification as module

    monkeypatch.setattr(module, "_CHECK", module._CHECK + "\nimport cambrian.errors\n")
    with pytest.raises(ExportMismatch, match="must not need cambrian"):
        verify(doubling(tmp_path, torch.zeros(2, 3)))


def doubling(place, logits, single=None, inputs=0.0):
    """The smallest thing the clean process accepts: twice the inputs, which are all alike."""

    class Double(nn.Module):
        def forward(self, images):
            return images * 2

    batch = {"images": {0: torch.export.Dim("batch", min=1)}}
    program = torch.export.export(Double(), (torch.zeros(2, 3),), dynamic_shapes=batch)
    torch.export.save(program, place / "program.pt2")
    single = logits.clone() if single is None else single
    sample = {"inputs": torch.full((2, 3), inputs), "logits": logits, "single_logits": single}
    save_file(sample, place / "sample.safetensors")
    return place


def test_refusals_come_before_any_work(tmp_path):
    """A directory with other files, a file in the way, missing facts, a missing extra."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match="holds other files"):
        export_network(small_network(), FACTS, tmp_path / "full", architecture_json={})
    with pytest.raises(UsageError, match="is a file"):
        export_network(small_network(), FACTS, tmp_path / "full" / "thesis.tex", architecture_json={})
    with pytest.raises(UsageError, match=r"cannot be written to .*inside"):
        export_network(
            small_network(), FACTS, tmp_path / "full" / "thesis.tex" / "inside", architecture_json={}
        )
    with pytest.raises(UsageError, match="missing: labels"):
        export_network(
            small_network(),
            {k: v for k, v in FACTS.items() if k != "labels"},
            tmp_path / "x",
            architecture_json={},
        )
    assert [p.name for p in tmp_path.iterdir()] == ["full"]


@pytest.mark.parametrize("name", ["predictions.csv", "front-2/notes.txt"])
def test_files_of_ones_own_in_an_earlier_export_are_not_removed(name, tmp_path):
    """As a predictions file: the export that would replace them is refused, and they are there. What Python
    leaves beside `network.py` is nobody's."""
    for place in (tmp_path, tmp_path / "front-2"):
        place.mkdir(exist_ok=True)
        for file in ("model.json", "program.pt2", "program.int8.onnx", "README.md"):
            (place / file).write_text("")
    (tmp_path / "__pycache__").mkdir()
    check_target(FACTS, tmp_path, onnx=False)
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"holds other files, {name} for one: move them"):
        export_network(small_network(), FACTS, tmp_path, architecture_json={})
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["README.md", "network.py", "front-1/README.md"])
def test_a_folder_of_ones_own_is_no_export_for_a_name(name, tmp_path):
    """A README or a network of the user's own, where no export has been: `model.json` tells."""
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    place.write_text("mine")
    with pytest.raises(UsageError, match=re.escape(f"holds other files, {name} for one")):
        check_target(FACTS, tmp_path, onnx=False)


def test_onnx_is_an_extra(tmp_path, monkeypatch):
    """Without onnx the sentence says how to get it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'cambrian\[export\]'"):
        export_network(small_network(), FACTS, tmp_path / "x", architecture_json={}, onnx=True)


def test_bytes_are_refused_by_the_program(exported):
    """By the program's file, the source and the network behind its normalisation alike: of bytes that nobody
    divided by 255 they would compute nonsense. What model.json calls input is what it takes."""
    network, place = exported
    facts = json.loads((place / "model.json").read_text())
    taken, wrong = (torch.zeros(2, 1, 6, 5, dtype=getattr(torch, facts[k])) for k in ("input", "stored"))
    program = torch.export.load(place / "program.pt2").module()
    assert program(taken).shape == (2, 3)
    with pytest.raises(RuntimeError, match="dtype mismatch! Expected: Float, Got: unsigned char"):
        program(wrong)
    with pytest.raises(DataError, match=r"float32 images, got torch\.uint8: divide bytes by 255"):
        Normalised(network, FACTS["mean"], FACTS["std"])(wrong)
    with pytest.raises(
        TypeError, match=r"float32 images, in \[0, 1\]: bytes divided by 255; got torch.uint8"
    ):
        runpy.run_path(str(place / "network.py"))["normalise"](wrong)


def test_an_export_of_an_earlier_version_is_read(exported, tmp_path):
    """There "input" was the type of the training data, and "stored" was not there."""
    _, place = exported
    old = shutil.copytree(place, tmp_path / "net")
    facts = json.loads((old / "model.json").read_text())
    facts["input"] = facts.pop("stored")
    (old / "model.json").write_text(json.dumps(facts))
    images = np.arange(60, dtype=np.uint8).reshape(2, 6, 5, 1)
    np.testing.assert_array_equal(predict(old, images), predict(place, images))
    Image.fromarray(images[0, :, :, 0]).save(tmp_path / "a.png")
    assert predict_files(old, [tmp_path / "a.png"]) == predict_files(place, [tmp_path / "a.png"])


def test_predicting_refuses_what_does_not_fit(exported, tmp_path):
    """Another size, and a directory that is no export."""
    _, place = exported
    with pytest.raises(DataError, match=r"size \[6, 5, 1\], got an array of shape \[1, 5, 6, 1\]"):
        predict(place, np.zeros((1, 5, 6, 1), np.uint8))
    with pytest.raises(DataError, match="floats from 0 to 1, got float32 from 0 to 255"):
        predict(place, np.array([[[[0]] * 5] * 5 + [[[255]] * 5]], np.float32))
    (tmp_path / LEDGER).touch()
    with pytest.raises(UsageError, match=r"it is a run: cambrian export .* OUT makes one of its network"):
        predict(tmp_path, np.zeros((1, 6, 5, 1), np.uint8))
    (tmp_path / LEDGER).unlink()
    with pytest.raises(UsageError, match="no exported network"):
        predict(tmp_path, np.zeros((1, 6, 5, 1), np.uint8))


@pytest.mark.parametrize("name", ["model.json", "program.pt2"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b"\xff\xfe"])
def test_a_damaged_export_is_one_sentence(exported, tmp_path, name, damage):
    """Whatever happened to its files: they are named, and what to do."""
    _, place = exported
    broken = tmp_path / "net"
    shutil.copytree(place, broken)
    (broken / name).write_bytes(damage)
    with pytest.raises(UsageError, match=re.escape(str(broken))) as caught:
        predict(broken, np.zeros((1, 6, 5, 1), np.uint8))
    assert "\n" not in str(caught.value)


def test_files_are_predicted_as_their_pixels(exported, tmp_path):
    """A row per file: the likeliest class and its probability. A text file is refused by name."""
    network, place = exported
    pixels = np.random.default_rng(0).integers(0, 256, (3, 6, 5, 1), dtype=np.uint8)
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for file, image in zip(files, pixels):
        Image.fromarray(image[:, :, 0]).save(file)
    expected = by_hand(network, pixels)
    rows = predict_files(place, files)
    assert [(r.file, r.label) for r in rows] == [
        (str(f), FACTS["labels"][k]) for f, k in zip(files, expected.argmax(1))
    ]
    np.testing.assert_allclose([r.probability for r in rows], expected.max(1), atol=1e-5)
    (tmp_path / "notes.png").write_text("no image")
    with pytest.raises(DataError, match=r"notes\.png"):
        predict_files(place, [tmp_path / "notes.png"])


def test_files_that_cannot_be_read_are_left_out_where_they_are_asked_for(exported, tmp_path):
    """The others are predicted as without them, in a folder and by name; where none is left, the first
    error is raised, as it is where nobody asks for the broken ones."""
    _, place = exported
    photos = tmp_path / "photos"
    photos.mkdir()
    whole = [photos / f"{n}.png" for n in (0, 2, 3)]
    for n, path in enumerate(whole):
        Image.fromarray(np.full((8, 8), 40 * n, np.uint8)).save(path)
    (photos / "1.png").write_bytes(whole[0].read_bytes()[:40])
    (photos / "4.png").write_bytes(b"no image")
    broken: list[DataError] = []
    assert predict_files(place, [photos, photos / "5.png"], broken=broken) == predict_files(place, whole)
    assert broken[0].places == tuple(str(photos / f"{n}.png") for n in (1, 4, 5))
    with pytest.raises(DataError, match=r"1\.png: a corrupt .* \(2 images in all cannot be read; also in 4"):
        predict_files(place, [photos])
    with pytest.raises(DataError, match=r"4\.png: a corrupt"):
        predict_files(place, [photos / "4.png"], broken=[])


def test_texts_on_both_sides_of_a_table_are_named(tmp_path):
    """They are read apart, and each part has its error; the table and the other texts are read."""
    files = [tmp_path / name for name in ("a.txt", "b.txt", "rows.csv", "c.txt")]
    for path, content in zip(files, (b"\xff", b"ab", b"said\nba\n", b"\xff"), strict=True):
        path.write_bytes(content)
    facts = {"rendering": {"text": {"characters": "ab", "length": 2, "column": "said"}}}
    read, paths = _choose_reading(tmp_path, files, facts)
    broken: list[DataError] = []
    whole, (names, inputs) = _read_whole(read, paths, broken)
    assert [error.places for error in broken] == [(str(files[0]),), (str(files[3]),)]
    assert whole == files[1:3]
    assert (names, len(inputs)) == ([str(files[1]), f"{files[2]}:1"], 2)
    assert _read_whole(read, files[3:], broken) == ([], None)
    with pytest.raises(DataError, match=r"a\.txt: not a text in UTF-8"):
        _read_whole(read, paths, None)


def test_the_command_names_files_that_cannot_be_read_and_goes_on(exported, tmp_path, capsys):
    """The others are printed, and written; the exit code is 1, whether for people or as JSON."""
    _, place = exported
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes(b"no image")
    for as_json in (False, True):
        with pytest.raises(typer.Exit) as ended:
            predict_command(place, [tmp_path], out=tmp_path / f"{as_json}.csv", as_json=as_json)
        said = capsys.readouterr()
        assert ended.value.exit_code == 1
        assert re.search(r"cambrian: .*1\.png: a corrupt .*\n1 file not predicted, 1 predicted\n", said.err)
        assert (tmp_path / f"{as_json}.csv").read_text().splitlines()[1].startswith(f"{tmp_path / '0.png'},")
    assert [row["file"] for row in json.loads(said.out)] == [str(tmp_path / "0.png")]


def test_predictions_are_a_table(exported, tmp_path):
    """As Python's csv module reads it, names with commas, quotes and bytes that are not text included;
    another ending and a missing folder are refused."""
    rows = [Prediction('a, "b".png', "a", 0.25), Prediction("\udcff.png", "b\nc", 1.0)]
    write_table(rows, tmp_path / "out.csv")
    with open(tmp_path / "out.csv", encoding="utf-8", errors="surrogateescape", newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["file", "label", "probability"]
    assert lines == [[r.file, r.label, f"{r.probability:.6f}"] for r in rows]
    for name, words in (("out.txt", "name it predictions.csv"), ("no/out.csv", "folder that exists")):
        with pytest.raises(UsageError, match=words):
            check_table(tmp_path / name)


def test_a_space_builds_its_network_faster_than_the_program_loads(tmp_path, monkeypatch):
    """An export of a registered space is predicted without torch.export; the probabilities are the program's.
    Weights that were exchanged are noticed by the sample, and the program is asked."""
    task = toy_task()
    space = space_for({"name": "tiny-chain"}, task)
    architecture = sample(space, np.random.default_rng(0))
    record = {"space": spec_of("space", space), "answers": architecture.to_json(), "skeleton": {}}
    network = space.build(architecture, task).eval()
    place = export_network(network, task.summary(), tmp_path / "net", architecture_json=record)
    expected = torch.export.load(place / "program.pt2").module()(as_inputs(task.inputs)).softmax(1)
    np.testing.assert_allclose(predict(place, task.inputs), expected.detach(), atol=1e-6)
    loads = []
    load = torch.export.load
    monkeypatch.setattr(torch.export, "load", lambda *args: loads.append(1) or load(*args))
    predict(place, task.inputs)
    assert not loads
    weights = load_file(place / "weights.safetensors")
    save_file({n: w + 1 for n, w in weights.items()}, place / "weights.safetensors")
    np.testing.assert_allclose(predict(place, task.inputs), expected.detach(), atol=1e-6)
    assert loads


def test_images_in_a_folder_are_predicted(exported, tmp_path):
    """A folder stands for its images, in folders within, too."""
    _, place = exported
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    files = [tmp_path / "in" / "a.png", tmp_path / "in" / "deeper" / "b.jpg"]
    for file in files:
        Image.fromarray(np.arange(30, dtype=np.uint8).reshape(6, 5)).save(file)
    (tmp_path / "in" / "notes.txt").write_text("text")
    assert predict_files(place, [tmp_path / "in"]) == predict_files(place, files)


def test_files_are_prepared_as_those_of_the_training(tmp_path):
    """An export records what transparency is laid on and how 16 bits are scaled, and predicts so."""
    network = small_network()
    facts = FACTS | {"rendering": {"background": [0, 0, 0], "levels": [0, 510]}}
    place = export_network(network, facts, tmp_path / "net", architecture_json=ANSWERS)
    assert json.loads((place / "model.json").read_text())["rendering"] == facts["rendering"]
    levels = np.arange(30).reshape(6, 5)
    Image.fromarray((levels * 17).astype(np.uint16)).save(tmp_path / "wide.png")
    rgba = np.full((6, 5, 4), 255, np.uint8)
    rgba[..., 3] = levels
    Image.fromarray(rgba).save(tmp_path / "clear.png")
    expected = by_hand(network, np.stack([np.rint(levels * 8.5), levels])[..., None])
    rows = predict_files(place, [tmp_path / "wide.png", tmp_path / "clear.png"])
    np.testing.assert_allclose([r.probability for r in rows], expected.max(1), atol=1e-5)


def test_float_images_go_in_as_they_are():
    """Bytes are divided by 255, floats are not; channels move to the front."""
    images = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    np.testing.assert_allclose(as_inputs(images).numpy(), images.transpose(0, 3, 1, 2), rtol=1e-6)
    grey = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3, 1)
    assert as_inputs(grey).flatten().tolist() == pytest.approx([0, 0.2, 1])


def test_stages_are_the_modules_and_their_shapes():
    """Top-level modules with what they give; neighbours alike are counted, the input comes first."""
    assert stages(small_network(), (1, 6, 5)) == [
        ("image", "1x6x5"),
        ("conv2d", "8x6x5"),
        ("batchnorm2d", "8x6x5"),
        ("relu", "8x6x5"),
        ("adaptiveavgpool2d", "8x1x1"),
        ("linear", "3"),
    ]

    class Cell(nn.Conv2d):
        pass

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells = nn.ModuleList([Cell(1, 1, 1), Cell(1, 1, 1), Cell(1, 1, 1, stride=2)])

        def forward(self, x):
            for cell in self.cells:
                x = cell(x)
            return x

    assert stages(Net(), (1, 4, 4)) == [("image", "1x4x4"), ("cell x 2", "1x4x4"), ("cell", "1x2x2")]
