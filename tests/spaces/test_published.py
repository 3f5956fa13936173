"""Published architectures are answers their space accepts."""

import pytest
import torch

from cambrian.architecture import replay
from cambrian.errors import UnknownName
from cambrian.networks.measure.sizes import params
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.chains.mobile.space import MnasNet
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.published import find_published, find_published_in, names
from tiers import slow_for


def network(name, classes=10, **skeleton):
    """Weightless, for 32 x 32 images in colour or, by `skeleton`, for ImageNet."""
    entry = find_published(name)
    with torch.device("meta"):
        return entry.space.build(entry.architecture, Shape(3, 32, 32, classes), **skeleton)


@pytest.mark.parametrize(
    ("name", "expected", "classes", "skeleton"),
    [
        ("pnasnet-5", 86_057_668, 1000, {"skeleton": "imagenet-large"}),
        ("nasnet-a", 88_753_150, 1000, {"skeleton": "imagenet-large"}),
        ("nasnet-a", 5_289_978, 1000, {"skeleton": "imagenet-mobile"}),
        ("darts-v2", 3_349_342, 10, {}),
    ],
)
def test_the_published_number_of_parameters_to_the_last_one(name, expected, classes, skeleton):
    """Those of released networks: timm's and Cadene's NASNet-A (large and mobile), the released DARTS."""
    assert params(network(name, classes, auxiliary=True, **skeleton)) == expected


@pytest.mark.parametrize(
    ("name", "millions", "classes", "skeleton"),
    [
        ("nasnet-a", 3.3, 10, {}),
        ("nasnet-a", 88.8, 1000, {"skeleton": "imagenet-large"}),
        ("amoebanet-a", 3.2, 10, {}),
        ("amoebanet-a", 5.1, 1001, {"skeleton": "imagenet-mobile"}),
        ("amoebanet-a", 86.7, 1001, {"skeleton": "imagenet-large"}),
        ("darts-v1", 3.2, 10, {}),
        ("enas", 4.6, 10, {}),
        ("enas", 3.9, 10, {"skeleton": "released"}),
    ],
)
def test_as_many_millions_of_parameters(name, millions, classes, skeleton):
    """As printed for NASNet-A (arXiv 1707.07012, Table 1), AmoebaNet-A (1802.01548, Tables 1 and 2) and
    ENAS (1802.03268, Table 2; its released script has five normal cells between reductions, and so
    fewer); for DARTS see the test below."""
    assert round(params(network(name, classes, **skeleton)) / 1e6, 1) == millions


def test_the_released_darts_cells_differ_by_what_their_operations_hold():
    """The paper prints 3.3M for both; V1 as released has 3.17M: in every normal cell one dilated separable
    convolution fewer than V2's 3.35M, and all else alike."""
    first, second = network("darts-v1"), network("darts-v2")

    widths = [cell.fit["1"][1].out_channels for cell in second.cells]
    normal = [f for t, f in enumerate(widths) if t not in (6, 13)]
    assert len(normal) == 18
    assert params(second) - params(first) == sum(9 * f + f * f + 2 * f for f in normal)


@pytest.mark.parametrize("name", slow_for(("autoformer-b",), names()))
def test_each_gives_logits_on_small_and_grey_images(name):
    """8 x 8 in one channel: finite logits, and a gradient for every weight, or nearly: after a ReLU that
    is never above 0 there is none."""
    torch.manual_seed(0)
    entry = find_published(name)
    smaller = {"filters": 4} if "filters" in entry.space.skeleton else {}
    made = entry.space.build(entry.architecture, Shape(1, 8, 8, 3), **entry.skeleton, **smaller)
    logits = made(torch.randn(4, 1, 8, 8))
    logits.square().sum().backward()
    assert logits.shape == (4, 3)
    assert logits.isfinite().all()
    assert [path for path, weight in made.named_parameters() if weight.grad is None] == []


@pytest.mark.parametrize("name", names())
def test_the_space_accepts_every_answer(name):
    """A strict replay asks for each answer and for nothing more; the space holds it under its name."""
    entry = find_published(name)
    assert replay(entry.space, entry.architecture) == entry.architecture
    assert find_published_in(entry.space)[name] == entry.architecture


@pytest.mark.parametrize("name", names())
def test_each_fits_large_images(name):
    """224 x 224 in colour, a thousand classes, in the skeleton that such images have: some millions of
    parameters, less for those that read rows."""
    entry = find_published(name)
    with torch.device("meta"):
        made = entry.space.build(entry.architecture, Shape(3, 224, 224, 1000), **entry.skeleton)
    assert 200_000 < params(made) < 60_000_000


def test_autoformers_have_the_papers_sizes():
    """22.9M and 54M (arXiv 2107.00651, Table 4)."""
    for name, millions in {"autoformer-s": 22.9, "autoformer-b": 54}.items():
        entry = find_published(name)
        with torch.device("meta"):
            made = entry.space.build(entry.architecture, Shape(3, 224, 224, 1000))
        assert round(params(made) / 1e6, 1 if millions < 50 else 0) == millions


def test_another_network_has_not_its_name():
    """The same answers are another network where the space has other channels, and are no baseline there."""
    assert list(find_published_in(MnasNet())) == ["mobilenet-v2"]
    assert list(find_published_in(MnasNet("mnasnet-a1"))) == ["mnasnet-a1"]
    assert list(find_published_in(PNAS(blocks=6))) == ["pnasnet-5"]
    assert find_published_in(PNAS(blocks=4)) == {}


def test_a_wrong_name_is_answered_with_the_nearest():
    """One sentence with what was meant."""
    with pytest.raises(UnknownName, match="did you mean 'pnasnet-5'"):
        find_published("pnasnet5")
