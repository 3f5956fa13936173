"""The text that lies beside an exported network: how it is used, and what the other files hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.goal import read_goal
from cambrian.tasks.nouns import IMAGES, read_noun

_SIZES = ("channels", "height", "width")
_SOURCE = """`network.py` is the same network in torch and safetensors, to be read and trained further:

```python
from network import load, normalise

network = load()  # with the weights, in evaluation mode; .train() to go on training
{outputs} = network(normalise(images))
```
"""

# As `cambrian.tasks.images.decoding.pixels` does it; transparency and levels are rare, and are said in words.
_FILES = """An image file becomes such an array as in training, by Pillow: turned as its EXIF tag says, in
{mode}, scaled to the input's size by bilinear filtering with antialiasing, whatever its proportions were:

```python
import numpy as np
from PIL import Image, ImageOps

image = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("{pillow}")
pixels = np.array(image.resize(({width}, {height}), Image.Resampling.BILINEAR))
images = torch.from_numpy(pixels).reshape(1, {height}, {width}, {channels}).permute(0, 3, 1, 2) / 255
```

"""
_ONNX = """
`program.onnx` is the same program for ONNX Runtime (`program.int8.onnx`, where there is one, in 8-bit
integers):

```python
import onnxruntime

session = onnxruntime.InferenceSession("program.onnx")
(outputs,) = session.run(None, {"images": images.numpy()})
```
"""
_COLUMNS = """`cambrian predict` takes a .csv. `model.json` has under "columns" how the cells of a row
become features, one column after the other: a number is interpolated between "knots" and "scores" where
the column has these (in float64, rounded to float32 afterwards), "fill" stands for a missing one, and a
"flagged" column has 1 after it then; of "categories" the one that the row has is 1, and the others are 0.
"decimal" is what begins the decimals of numbers in the .csv, where the table had commas in them; "rendering"
has under "table" its header and its separator, and of columns without names how many there are.
"""

_README = """# {name}: {title} {kind}

Needs torch alone:

```python
import json, torch

model = json.load(open("model.json"))
program = torch.export.load("program.pt2").module()
images = torch.rand(1, {channels}, {height}, {width})  # float32 [n, channels, height, width], {unit}
{use}
```

{files}{source}{onnx}
`model.json` has {names}, the input's size and how images are prepared: "rendering" has the colour
that transparent pixels are laid on, and the levels of 16-bit images that become 0 and 255.
`weights.safetensors` and `architecture.json` are the network's; `sample.safetensors` holds inputs and the
{outputs} the program must give for them, all at once and one by one.
"""

_LIKELIEST = """probabilities = program(images).softmax(1)  # normalisation is part of the program
print(model["labels"][int(probabilities[0].argmax())])"""
_USES = {
    "classes": _LIKELIEST,
    "characters": """probabilities = program(images).softmax(1)  # [n, characters, rows]
print(model["labels"][int(probabilities[0, :, -1].argmax())])  # the character after the last row""",
    "numbers": """numbers = program(images)[:, 0]  # normalisation and the unit are part of the program
print(model["labels"][0], float(numbers[0]))""",
    "labels": """probabilities = program(images).sigmoid()  # normalisation is part of the program
print([label for label, p in zip(model["labels"], probabilities[0]) if p > 0.5])""",
    "heads": """begin = 0
for name, count in model["goal"]["heads"]:  # the logits of one head after the other
    logits = program(images)[:, begin : begin + count]  # normalisation is part of the program
    print(model["labels"][begin + int(logits[0].argmax())])
    begin += count""",
    "pixels": """classes = program(images).argmax(1)[0]  # [height, width]; normalised by the program
print({model["labels"][i]: int((classes == i).sum()) for i in classes.unique().tolist()})""",
}
_TITLES = {
    "classes": "a classifier of",
    "numbers": "a network that predicts numbers from",
    "labels": "a network that gives labels to",
    "heads": "a network of several classifications of",
    "pixels": "a network that gives a class to each pixel of",
    "characters": "a network that predicts the next character of",
}
OUTPUTS = {
    "classes": "logits [n, classes]; softmax makes them probabilities",
    "numbers": "numbers float64 [n, 1] in the unit of the training data",
    "labels": "logits [n, labels]; sigmoid makes them probabilities",
    "characters": "logits [n, characters, rows]; softmax over the characters makes them probabilities of the"
    " one after each row",
    "heads": "logits [n, classes of all heads], head after head; softmax of each makes probabilities",
    "pixels": "logits [n, classes, height, width]; softmax over the classes makes them probabilities",
}
"""The outputs of a program by its goal, as `model.json` says them."""


def write_readme(facts: Mapping[str, Any], unit: str, no_source: str, onnx: bool = False) -> str:
    """The text for a network with these facts; `no_source` says why there is no `network.py`, if so, and
    `onnx` that there is a `program.onnx`."""
    goal = read_goal(facts.get("goal")).kind
    outputs = "numbers" if goal == "numbers" else "logits"
    source = f"There is no network.py: {no_source}.\n" if no_source else _SOURCE.format(outputs=outputs)
    kind = read_noun(facts)
    text = _README.format(
        name=str(facts.get("name", "network")).replace("\n", " "),
        title=_TITLES[goal],
        kind=kind,
        unit=unit,
        use=_USES[goal],
        source=source,
        names="the name of the number" if goal == "numbers" else "the classes",
        outputs=outputs,
        files=_describe_files(facts),
        onnx=_ONNX if onnx else "",
        **{name: facts[name] for name in _SIZES},
    )
    return text + _COLUMNS if "columns" in facts else text


def _describe_files(facts: Mapping[str, Any]) -> str:
    """How an image file becomes an input; empty of what no image file is predicted from."""
    if read_noun(facts) != IMAGES or facts.get("stored") != "uint8" or facts["channels"] not in (1, 3):
        return ""
    grey = facts["channels"] == 1
    sizes = {name: facts[name] for name in _SIZES}
    return _FILES.format(mode="grey" if grey else "colours", pillow="L" if grey else "RGB", **sizes)
