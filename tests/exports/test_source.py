"""The source of a network: plain torch that gives the same outputs, without cambrian."""

import importlib.util
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from cambrian.architecture import sample
from cambrian.errors import CambrianError
from cambrian.exports.export import export_network
from cambrian.exports.source import Unwritable, write_source
from cambrian.networks.checkpoint import serialise
from cambrian.networks.heads import first_head
from cambrian.search.parts.components import space_for
from cambrian.spaces import SPACES
from cambrian.testing import toy_task
from commands import run_clean

pytestmark = pytest.mark.usefixtures("clean_is_forked")

TASK = toy_task()
SHAPE = (TASK.channels, TASK.height, TASK.width)
FACTS = {"name": 'a "toy"\n\\', "labels": list(TASK.labels), "mean": list(TASK.mean), "std": list(TASK.std)}
FACTS |= {"channels": TASK.channels, "height": TASK.height, "width": TASK.width, "stored": "uint8"}

CLEAN = """
import importlib.util, json, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "cambrian":
            raise ImportError("cambrian")
sys.meta_path.insert(0, Blocked())
from pathlib import Path
import torch
from safetensors.torch import load_file
torch.set_num_threads(1)
answers = {}
for place in map(Path, sys.argv[1:]):
    spec = importlib.util.spec_from_file_location("network", place / "network.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network, sample = module.load(), load_file(place / "sample.safetensors")
    with torch.no_grad():
        same = [torch.equal(network(sample[f"in{n}"]), sample[f"out{n}"]) for n in (1, 4)]
    logits = network.train()(sample["in4"])
    torch.nn.functional.cross_entropy(logits, torch.arange(4) % logits.shape[1]).backward()
    learns = any(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
    answers[place.name] = [*same, learns, sorted(network.state_dict())]
print(json.dumps(answers))
"""


def write(network, place):
    """The source, the weights, and outputs of the network itself for one and for four images."""
    network.eval()
    place.mkdir()
    inputs = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(1))
    source = write_source(network, inputs, FACTS, "")
    (place / "network.py").write_text(source.text)
    weights = {**network.state_dict(), **source.tensors}
    (place / "weights.safetensors").write_bytes(serialise(weights))
    with torch.no_grad():
        outputs = {f"out{n}": first_head(network(inputs[:n])).clone() for n in (1, 4)}
    save_file(outputs | {"in1": inputs[:1].clone(), "in4": inputs}, place / "sample.safetensors")
    return source


def load_clean(*places):
    """What the sources at these places say in a process that cannot import cambrian."""
    done = run_clean(CLEAN, *places, strict=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def build(name, seed):
    """A random network of the space, with batch statistics of its own."""
    rng = np.random.default_rng(seed)
    space = space_for({"name": name}, TASK)
    for _ in range(30):
        architecture = sample(space, rng)
        torch.manual_seed(seed)
        try:
            network = space.build(architecture, TASK)
        except CambrianError:  # shapes that do not fit so small an image
            continue
        with torch.no_grad():
            network(torch.randn(8, *SHAPE))
        return network
    pytest.fail(f"no network of {name} can be built")


DEAR = ("nasnet", "amoebanet", "hierarchical", "mnasnet", "proxylessnas", "ofa", "enas-micro", "autoformer")


@pytest.mark.parametrize(
    ("seed", "without"), [(0, DEAR), *(pytest.param(n, (), marks=pytest.mark.slow) for n in (0, 1))]
)
def test_every_space_has_its_source(seed, without, tmp_path):
    """A network of every registered space: bit for bit the same logits for one and four images, in a
    process that cannot import cambrian; the same names of weights; and training reaches the weights."""
    networks = {name: build(name, seed) for name in SPACES.names() if name not in without}
    for name, network in networks.items():
        write(network, tmp_path / name)
    for name, (one, four, learns, keys) in load_clean(*(tmp_path / n for n in networks)).items():
        assert (one, four, learns) == (True, True, True), name
        # The file holds more names where a head only helped in training.
        weights = {*networks[name].state_dict(), *(n for n, _ in networks[name].named_buffers())}
        assert set(keys) <= weights, name


class Odd(nn.Module):
    """What a user's forward may do: sizes of the batch, weights used twice or shared, steps in place,
    constants, lists, several outputs of a step, dropout by function, modules in dictionaries."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(SHAPE[0], 6, 3, padding="same")
        self.twice = Residual(6)
        self.parts = nn.ModuleDict({"left": nn.Conv2d(3, 6, 1), "never": nn.Linear(1, 1)})
        self.rows = nn.ModuleList([nn.Sequential(nn.Conv2d(6, 6, 1), Residual(6)) for _ in range(3)])
        self.memory = nn.LSTM(6, 5, batch_first=True)
        self.attention = nn.MultiheadAttention(5, 1, batch_first=True)
        self.scale = nn.Parameter(torch.rand(5))
        self.register_buffer("shift", torch.rand(5), persistent=False)
        self.offset = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0])  # neither a parameter nor a buffer
        self.embedding = nn.Linear(5, 5, bias=False)
        self.again = nn.Linear(5, 5, bias=False)
        self.again.weight = self.embedding.weight
        self.mix = Mix()
        self.head = nn.Linear(5, 3)

    def forward(self, images):
        x = self.twice(self.twice(self.conv(images)))
        halves = x.split(3, dim=1)
        x = self.mix([x, self.parts["left"](halves[0])], weight=0.3)
        for row in self.rows:
            x = row(x).clone()
            x[:, 0] = 0.0
            x += 1
        n, c, h, w = x.shape
        x = x.reshape(n, c, h * w).permute(0, 2, 1).reshape(n * h, w, c)
        state = torch.zeros(1, n * h, 5, device=x.device)
        x, (hidden, _) = self.memory(x, (state, state))
        x = 1 - x[:, -1] + hidden[0] * self.scale / 2
        x = x.view(n, h, 5)
        x, _ = self.attention(x, x, x, need_weights=False)
        x = F.dropout(x.mean(1) + self.shift + self.offset, 0.2, self.training)
        x = self.again(torch.relu(self.embedding(x)))
        return self.head(x), x  # the first head counts


class Residual(nn.Module):
    def __init__(self, filters):
        super().__init__()
        self.body = nn.Sequential(nn.BatchNorm2d(filters), nn.GELU(), nn.Conv2d(filters, filters, 1))

    def forward(self, x):
        return x + self.body(x)


class Mix(nn.Module):
    def forward(self, states, weight):
        return weight * states[0] + (1 - weight) * states[1]


def test_a_users_own_function_has_its_source(tmp_path):
    """A forward of almost everything that people write, bit for bit; equal modules are one class, and a tied
    weight is one weight."""
    torch.manual_seed(0)
    source = write(Odd(), tmp_path / "odd")
    assert load_clean(tmp_path / "odd")["odd"][:3] == [True, True, True]
    assert source.text.count("class Residual") == 1
    assert "self.again.weight = self.embedding.weight" in source.text
    assert "training=self.training" in source.text
    assert "never" not in source.text
    assert "self.memory = nn.LSTM(6, 5, batch_first=True)" in source.text
    assert "self.attention = nn.MultiheadAttention(5, 1" in source.text


def test_parts_that_are_called_by_others_keep_their_names(tmp_path):
    """A module whose parts another one calls, and a sequence of which one part is left out."""

    class Reaching(nn.Module):
        def __init__(self):
            super().__init__()
            self.store = nn.Module()
            self.store.conv = nn.Conv2d(SHAPE[0], 4, 1)
            self.store.weight = nn.Parameter(torch.rand(4, 1, 1))
            self.store.register_buffer("mask", torch.tensor([1, 0, 1, 1]).reshape(4, 1, 1))
            self.steps = nn.Sequential(nn.ReLU(), nn.Conv2d(4, 9, 1), nn.Conv2d(4, 3, 1))

        def forward(self, x):
            x = self.store.conv(x) * self.store.weight * self.store.mask
            return self.steps[2](self.steps[0](x)).mean((2, 3))

    network = Reaching()
    write(network, tmp_path / "reaching")
    *same, keys = load_clean(tmp_path / "reaching")["reaching"]
    assert same == [True, True, True]
    assert set(keys) == {k for k in network.state_dict() if not k.startswith("steps.1")}


class Deciding(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(SHAPE[0], 3)

    def forward(self, x):
        x = x.mean((2, 3))
        return self.head(x) if len(x) == 2 else self.head(-x)


class Counting(Deciding):
    def forward(self, x):
        return self.head(x.mean((2, 3))) * (1 / len(x) ** 2)


@pytest.mark.parametrize(
    ("kind", "words"), [(Deciding, "takes another way"), (Counting, "takes another way")]
)
def test_what_has_no_source_is_said_in_a_sentence(kind, words):
    """A forward that decides by the number of images, or computes with it otherwise than by multiples."""
    with pytest.raises(Unwritable, match=words):
        write_source(kind().eval(), torch.rand(2, *SHAPE), FACTS, "")


def test_an_export_without_source_is_whole_and_says_so(tmp_path, monkeypatch):
    """The program is delivered; model.json and the README say why there is no network.py; where the source
    gives other outputs in the clean process, it is not delivered."""
    from cambrian.exports.source import classes

    monkeypatch.setattr(
        classes, "construct_text", lambda module: "nn.Identity()" if is_linear(module) else None
    )
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(SHAPE[0], SHAPE[0]))
    place = export_network(network, FACTS | {"labels": ["a", "b"]}, tmp_path / "net", architecture_json={})
    assert not (place / "network.py").exists()
    reason = json.loads((place / "model.json").read_text())["no_source"]
    assert reason
    assert reason in (place / "README.md").read_text()


def is_linear(module):
    return isinstance(module, nn.Linear)


def test_a_written_module_can_be_read(tmp_path):
    """One named attribute a line, and no line longer than a hundred signs."""
    write(build("pnas", 0), tmp_path / "net")
    text = (tmp_path / "net" / "network.py").read_text()
    spec = importlib.util.spec_from_file_location("network", tmp_path / "net" / "network.py")
    assert spec is not None
    assert "cambrian" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert "self.linear = nn.Linear(" in text
