"""Zero-cost proxies against closed forms, torch's own functions, and symmetries of networks."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev

from cambrian.architecture import sample
from cambrian.errors import UsageError
from cambrian.goal import Goal
from cambrian.networks.measure.layers import count_layers
from cambrian.networks.measure.measure import find_measure
from cambrian.networks.measure.measure_network import measure_network
from cambrian.networks.measure.undefined import Undefined
from cambrian.networks.measure.zero_cost.az_nas import (
    Trainability,
    correlate_gradients,
    spectrum_entropy,
    trainability,
)
from cambrian.networks.measure.zero_cost.blocks import list_blocks, read_maps
from cambrian.networks.measure.zero_cost.fisher import fisher
from cambrian.networks.measure.zero_cost.gradients import grad_norm, grasp, l2_norm, plain, snip
from cambrian.networks.measure.zero_cost.jacobian import epe_nas, jacob_cov
from cambrian.networks.measure.zero_cost.ntk import WORST, condition_number, differentiate_each
from cambrian.networks.measure.zero_cost.proxy import Batch, Proxy
from cambrian.networks.measure.zero_cost.rectifiers import (
    RectifierCodes,
    count_agreements,
    count_regions,
    naswot,
)
from cambrian.networks.measure.zero_cost.synflow import Synflow, synflow
from cambrian.networks.measure.zero_cost.vkdnw import (
    differentiate_first_weights,
    fisher_eigenvalues,
    normalise_by_image,
    spread_entropy,
)
from cambrian.networks.measure.zero_cost.zen import read_features
from cambrian.networks.measure.zero_cost.zico import zico
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.program.function_space import Shape

SYMMETRIC = (
    *("grad_norm", "snip", "plain", "grasp", "fisher", "synflow", "jacob_cov", "naswot", "l2_norm"),
    *("epe_nas", "zico", "expressivity", "progressivity", "layers", "ntk", "linear_regions"),
)
"""Proxies that read the network as it is. Zen, VKDNW and trainability draw weights or probes of their own, so
that a permutation changes what they draw."""


def quadratic() -> tuple[Tensor, list[Tensor]]:
    """L = w^T A w / 2 with A = diag(2, 1) at w = (1, 2): the gradient is (2, 2), the Hessian A."""
    weight = torch.tensor([1.0, 2.0], requires_grad=True)
    return (torch.tensor([2.0, 1.0]) * weight**2).sum() / 2, [weight]


def matrix(rows: Sequence[Sequence[float]]) -> nn.Linear:
    layer = nn.Linear(len(rows[0]), len(rows), bias=False)
    layer.weight.data = torch.tensor(rows, dtype=torch.float32)
    return layer


def test_proxies_of_the_weights_gradient_on_a_quadratic_loss() -> None:
    """snip |1 2| + |2 2|, grad_norm |(2, 2)|, plain 2 + 4, grasp -(1 4 + 2 2), and |w| itself."""
    assert snip(*quadratic()) == 6
    assert grad_norm(*quadratic()) == pytest.approx(math.sqrt(8))
    assert plain(*quadratic()) == 6
    assert grasp(*quadratic()) == -8
    assert l2_norm(quadratic()[1]) == pytest.approx(math.sqrt(5))


def test_grad_norm_is_summed_over_layers() -> None:
    """Gradients of norm 3 and 4 make 7, and not 5."""
    a, b = (torch.ones(1, requires_grad=True) for _ in range(2))
    assert grad_norm((3 * a + 4 * b).sum(), [a, b]) == 7


def test_synflow_of_a_chain_is_its_product() -> None:
    """Of L linear layers without biases it is L 1^T |W_L| ... |W_1| 1: here 2 times 17."""
    network = nn.Sequential(nn.Flatten(), matrix([[1, -2], [3, 0.5]]), nn.ReLU(), matrix([[-1, 4]]))
    assert synflow(copy.deepcopy(network), (2, 1, 1)) == 34
    images = torch.zeros(1, 2, 1, 1)
    assert Synflow()(network, images, "cpu") == pytest.approx(math.log(34))


def test_synflow_does_not_see_normalisation() -> None:
    """Batch normalisation between the layers changes nothing, whatever its weights."""
    norm = nn.BatchNorm1d(2)
    norm.weight.data = torch.tensor([5.0, -7.0])
    network = nn.Sequential(nn.Flatten(), matrix([[1, -2], [3, 0.5]]), norm, nn.ReLU(), matrix([[-1, 4]]))
    assert synflow(network, (2, 1, 1)) == 34


def test_synflow_of_a_deep_network_is_finite() -> None:
    """A score of 1e120 is a number in double precision, and its logarithm a small one."""
    layers = [m for _ in range(60) for m in (matrix([[100.0]]), nn.ReLU())]
    score = Synflow()(nn.Sequential(nn.Flatten(), *layers), torch.zeros(1, 1, 1, 1), "cpu")
    assert score == pytest.approx(math.log(60) + 60 * math.log(100))


def test_naswot_of_three_images() -> None:
    """Codes 101, 110, 001 agree in [[3,1,2],[1,3,0],[2,0,3]] units, whose determinant is 12."""
    before = torch.tensor([[1.0, -1, 1], [1, 1, -1], [-1, -1, 1]])
    with RectifierCodes() as mode:
        torch.relu(before)
    kernel = count_agreements(mode.codes, 3)
    assert kernel.tolist() == [[3, 1, 2], [1, 3, 0], [2, 0, 3]]
    assert naswot(kernel) == pytest.approx(2.484907, abs=1e-6)


def test_naswot_counts_rectifiers_however_they_are_written() -> None:
    """Modules, functions, in place, leaky ones and ReLU6 are seen alike, and a sigmoid is not."""
    before = torch.tensor([[1.0, -1, 1], [1, 1, -1], [-1, -1, 1]])
    forms = [nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.LeakyReLU(), torch.relu, nn.functional.relu]
    for form in forms:
        with RectifierCodes() as mode:
            form(before.clone())
        assert count_agreements(mode.codes, 3).tolist() == [[3, 1, 2], [1, 3, 0], [2, 0, 3]], form
    with RectifierCodes() as mode:
        torch.sigmoid(before)
    assert mode.codes == []


def test_regions_are_the_distinct_patterns() -> None:
    """Patterns a, a, b, c lie in three regions: 1/2 + 1/2 + 1 + 1."""
    codes = [torch.tensor([[True, False], [True, False], [False, False], [True, True]])]
    assert count_regions(codes) == 3


@pytest.mark.parametrize(("correlation", "score"), [(0, -2.0), (0.5, -2.37897), (0.9, -8.86469)])
def test_jacob_cov_of_two_images(correlation: float, score: float) -> None:
    """The eigenvalues of a correlation c are 1 - c and 1 + c."""
    rows = np.array([[1.0, 0, -1, 0], [0, 1.0, 0, -1]])  # centred, of equal norm, not correlated
    rows[1] = correlation * rows[0] + math.sqrt(1 - correlation**2) * rows[1]
    assert jacob_cov(rows) == pytest.approx(score, abs=1e-4)


def test_epe_nas_sums_within_classes() -> None:
    """Two classes of two images each, with correlations 1 and r: |2 ln(|r| + k) + 2 ln(1 + k)| for each."""
    rows = np.array([[1.0, 0, -1, 0], [0.5, 0.5, -0.5, -0.5], [0, 1.0, 0, -1], [0, -1.0, 0, 1]])
    first, second = abs(2 * math.log(math.sqrt(0.5) + 1e-5)), abs(2 * math.log(1 + 1e-5))
    expected = first + second + 4 * math.log(1 + 1e-5)
    assert epe_nas(rows, np.array([0, 0, 1, 1]), 10) == pytest.approx(expected, abs=1e-4)


def test_the_condition_of_the_tangent_kernel() -> None:
    """f = w x on (1, 0) and (1, 1): (3 + sqrt 5) / (3 - sqrt 5). f = v W x: gradients by both matrices. A
    kernel without full rank has the worst condition."""
    images = torch.tensor([[1.0, 0], [1, 1]])
    line = matrix([[0.3, -0.7]])
    rows = differentiate_each(line(images), [line.weight])
    assert condition_number(rows) == pytest.approx(6.854102, abs=1e-5)
    deep = nn.Sequential(matrix([[1.0, 2], [0, 1]]), matrix([[1.0, -1]]))
    weights: list[Tensor] = [p for p in deep.parameters()]
    rows = differentiate_each(deep(images), weights)
    assert (rows @ rows.T).tolist() == [[3, 5], [5, 14]]
    assert condition_number(rows) == pytest.approx(14.9330, abs=1e-4)
    assert condition_number(torch.ones(2, 3)) == WORST


def test_zico_of_one_layer() -> None:
    """Gradients (1, 2) and (3, 2): the first weight has mean 2 and deviation 1, the second does not vary."""
    assert zico([torch.tensor([[1.0, 2], [3, 2]])]) == pytest.approx(math.log(2))


def test_zico_has_an_image_for_each_batch() -> None:
    """The loss of none is not a number: the score was one that meant nothing."""
    assert find_measure("zico(images=3,batches=3)")
    with pytest.raises(UsageError, match="at most 2, got 3"):
        find_measure("zico(images=2,batches=3)")


def test_fisher_of_one_channel() -> None:
    """Half the mean over images of (sum of activation x gradient)^2, for each of its five weights."""
    activation = torch.tensor([[[1.0, 2]], [[3, -1]]], requires_grad=True)  # (2 images, 1 channel, 2)
    loss = (activation * torch.tensor([[[1.0, 1]], [[2, 2]]])).sum()
    assert fisher(loss, [activation], [5]) == pytest.approx(5 * (3**2 + 4**2) / 2 / 2)


def test_fisher_of_tokens_is_that_of_positions() -> None:
    """A linear layer of each position is a convolution of kernel 1, and has the same score: its channels are
    its units, and not the positions."""

    class Mean(nn.Module):
        def __init__(self, linear: bool) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.layer: nn.Module = nn.Linear(3, 5) if linear else nn.Conv1d(3, 5, 1)
            torch.manual_seed(1)
            for parameter in self.layer.parameters():
                parameter.data = torch.randn(parameter.numel()).view(parameter.shape)
            self.head, self.linear = nn.Linear(5, 4), linear

        def forward(self, images: Tensor) -> Tensor:
            pixels = images.flatten(2)
            y = self.layer(pixels.mT).mT if self.linear else self.layer(pixels)
            logits: Tensor = self.head(y.relu().mean(2))
            return logits

    torch.manual_seed(2)
    tokens, positions = Mean(True), Mean(False)
    positions.head = tokens.head
    images = torch.rand(32, 3, 4, 4)
    scores = [find_measure("fisher")(network, images, "cpu") for network in (tokens, positions)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)


def test_the_entropy_of_a_spectrum() -> None:
    """Channels that vary alike and independently have ln(channels); copies of one channel have 0."""
    signs = torch.tensor([[1.0, 1, -1, -1], [1, -1, 1, -1]])  # two independent channels of four positions
    assert spectrum_entropy(signs.view(1, 2, 2, 2)) == pytest.approx(math.log(2), abs=1e-6)
    assert spectrum_entropy(signs[:1].repeat(2, 1).view(1, 2, 2, 2)) == pytest.approx(0, abs=1e-6)
    assert spectrum_entropy(torch.ones(1, 2, 2, 2)) == 0


def test_trainability_of_an_orthogonal_block_is_its_best() -> None:
    """A block that turns channels by an orthogonal matrix keeps all gradients: s is 1 up to the noise of the
    probes. One that doubles them has s = 2, and the identity is put last."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 2, 16, 16, generator=generator, requires_grad=True)
    turned = torch.einsum("ij,njhw->nihw", torch.tensor([[0.6, 0.8], [-0.8, 0.6]]), inputs)
    assert trainability([inputs, turned], generator) == pytest.approx(0, abs=1e-3)
    assert trainability([inputs, 2 * turned], generator) == pytest.approx(2 - 2 - 1 / 2, abs=0.02)
    assert trainability([inputs, inputs * 1], generator) < -1e5


def test_a_stride_is_a_matter_of_channels() -> None:
    """Each of the four positions that an average of stride 2 reads gets a quarter of the gradient."""
    inputs = torch.zeros(1, 1, 4, 4, requires_grad=True)
    outputs = nn.functional.avg_pool2d(inputs, 2)
    probe = torch.tensor([[[[1.0, -1], [-1, 1]]]])
    arrived = torch.autograd.grad(outputs, inputs, probe)[0]
    assert correlate_gradients(arrived, probe).tolist() == [[0.25]] * 4


@pytest.mark.parametrize(("size", "halved"), [((7, 8), (4, 4)), ((9, 7), (5, 4))])
def test_the_stride_of_an_odd_image_is_that_of_the_even_one(
    size: tuple[int, int], halved: tuple[int, int]
) -> None:
    """A convolution with stride 2 and padding halves 7 pixels to 4, as those of Fashion-MNIST are after two
    strides: the last row and column that the image does not have are zeros."""
    conv = nn.Conv2d(2, 3, 3, stride=2, padding=1)
    inputs = torch.rand(2, 2, *size, requires_grad=True)
    probe = torch.ones(2, 3, *halved)
    arrived = torch.autograd.grad(conv(inputs), inputs, probe)[0]
    filled = nn.functional.pad(arrived, (0, 2 * halved[1] - size[1], 0, 2 * halved[0] - size[0]))
    assert torch.equal(correlate_gradients(arrived, probe), correlate_gradients(filled, probe))


def test_trainability_of_a_block_that_enlarges_images() -> None:
    """Each of the four positions that an input is spread to has the gradient of one, the signs of the probe
    being its own: the top singular value of a doubling of images is that of four equal numbers, 2."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 1, 16, 16, generator=generator, requires_grad=True)
    outputs = nn.functional.interpolate(inputs, scale_factor=2)
    assert trainability([inputs, outputs], generator) == pytest.approx(2 - 2 - 1 / 2, abs=0.02)


class Instance(nn.Module):
    """Normalisation of each image alone, by torch's own function."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias

    def forward(self, inputs: Tensor) -> Tensor:
        normalised: Tensor = nn.functional.instance_norm(inputs, weight=self.weight, bias=self.bias)
        return normalised


def test_gradients_of_single_weights_are_those_of_autograd() -> None:
    """Of convolutions with padding and stride, normalisation and a linear layer with bias, the gradients of
    each image's logits with respect to the first number of each tensor are columns of the full Jacobian."""
    torch.manual_seed(0)
    first, second = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False)
    norm, head = nn.BatchNorm2d(3), nn.Linear(4 * 9, 3)
    norm.weight.data = torch.tensor([0.5, 2.0, -1.0])
    rest = [nn.ReLU(inplace=True), second, nn.Flatten(), head]
    ours, theirs = nn.Sequential(first, norm, *rest), nn.Sequential(first, Instance(norm), *rest)
    images = torch.randn(4, 2, 6, 6)

    def forward(parameters: dict[str, Tensor]) -> Tensor:
        logits: Tensor = functional_call(theirs, parameters, (images,))
        return logits

    parameters = {name: p.detach() for name, p in theirs.named_parameters()}
    full = jacrev(forward)(parameters)
    expected = torch.stack([full[name].flatten(2)[:, :, 0] for name in parameters], 2)
    normalise_by_image(ours)
    columns, logits = differentiate_first_weights(ours, images)
    assert torch.allclose(columns, expected, atol=1e-5)
    assert torch.allclose(logits, forward(parameters), atol=1e-6)


class Rows(nn.Module):
    """Layers of the steps of a sequence: float[n, 2, 6, 6] as 6 rows of 12 numbers -> float[n, 3]."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.mixed = nn.Linear(12, 4), nn.Conv1d(4, 4, 3, padding="same", dilation=2)
        self.norm, self.head = nn.BatchNorm1d(4, affine=True), nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        steps = self.step(images.transpose(1, 2).flatten(2)).transpose(1, 2)
        logits: Tensor = self.head(self.norm(torch.tanh(self.mixed(steps)).mean(2)))
        return logits


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(
    "network",
    [
        Rows(),
        nn.Sequential(nn.Conv2d(2, 3, 3, padding="same"), nn.Flatten(), nn.Linear(108, 3)),
        nn.Sequential(nn.Conv2d(2, 3, (2, 4), padding="same"), nn.Flatten(), nn.Linear(108, 3)),
        nn.Sequential(
            nn.Conv2d(2, 3, 4, padding="valid", dilation=1, stride=2), nn.Flatten(), nn.Linear(12, 3)
        ),
        nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), nn.Flatten(), nn.Linear(108, 3)),
    ],
)
def test_gradients_of_single_weights_of_other_layers(network: nn.Module) -> None:
    """Of linear layers of the steps of a sequence, of its convolutions and of vectors, whose normalisation
    leaves an image as it is, and of the ways to say a padding."""
    normalise_by_image(network)
    images = torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    parameters = {name: p.detach() for name, p in network.named_parameters()}
    full = jacrev(lambda given: functional_call(network, given, (images,)))(parameters)
    names = [name for name, p in network.named_parameters()]
    expected = torch.stack([full[name].flatten(2)[:, :, 0] for name in names], 2)
    assert torch.allclose(differentiate_first_weights(network, images)[0], expected, atol=1e-5)


def test_weights_of_layers_that_do_not_read_images_have_no_single_gradients() -> None:
    network = nn.Sequential(nn.Flatten(0, 1), nn.Flatten(), nn.Linear(36, 3), nn.Unflatten(0, (4, 2)))
    with pytest.raises(Undefined, match="a layer Linear reads 8 rows of 4 images"):
        differentiate_first_weights(network, torch.rand(4, 2, 6, 6))


def test_fisher_information_of_equal_labels() -> None:
    """With logits that are equal, C is (I - 11^T / k) / k: of the identity as Jacobian, eigenvalues 0 and
    1/k."""
    eigenvalues = fisher_eigenvalues(torch.eye(3)[None], torch.zeros(1, 3))
    assert eigenvalues == pytest.approx([0, 1 / 3, 1 / 3], abs=1e-6)
    assert spread_entropy(np.ones(20)) == pytest.approx(math.log(9))
    assert spread_entropy(np.zeros(20)) == 0


def two_blocks() -> nn.Sequential:
    """float[n, 3, 8, 8] -> float[n, 4]: a stem, two blocks of other widths and a classifier, each block with
    a strided or plain convolution, normalisation and a rectifier."""
    torch.manual_seed(1)
    blocks = [
        nn.Sequential(nn.Conv2d(a, b, 3, stride, 1), nn.BatchNorm2d(b), nn.ReLU())
        for a, b, stride in [(3, 6, 1), (6, 6, 1), (6, 8, 2)]
    ]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))


def permute_channels(network: nn.Sequential) -> nn.Sequential:
    """The same function: the channels between the first and second block in another order, and classes."""
    network = copy.deepcopy(network)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    first, second = network[0], network[1]
    assert isinstance(first, nn.Sequential)
    assert isinstance(second, nn.Sequential)
    for module in (first[0], first[1]):
        for parameter in module.parameters():
            parameter.data = parameter.data[order]
    second[0].weight.data = second[0].weight.data[:, order]
    classes = torch.tensor([2, 0, 3, 1])
    for parameter in network[-1].parameters():
        parameter.data = parameter.data[classes]
    return network


@pytest.mark.parametrize("name", SYMMETRIC)
def test_permuted_channels_and_classes_have_the_same_score(name: str) -> None:
    """A network that is the same function with equal weights in another order has the same score."""
    network, proxy = two_blocks(), find_measure(name)
    permuted, classes = permute_channels(network), torch.tensor([1, 3, 0, 2])  # where each class has gone
    images = torch.randn(proxy.images, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    targets = torch.randint(4, (proxy.images,), generator=torch.Generator().manual_seed(3))
    if not isinstance(proxy, Proxy):
        assert proxy(network, images, "cpu") == proxy(permuted, images, "cpu")
        return
    score = proxy.measure_labelled(network, Batch(images, targets))
    again = proxy.measure_labelled(permuted, Batch(images, classes[targets]))
    assert again == pytest.approx(score, rel=2e-3, abs=1e-5)


@pytest.mark.parametrize("squashed", [nn.Hardsigmoid(), nn.Sigmoid()])
def test_grasp_differentiates_the_hard_sigmoid_twice(squashed: nn.Module) -> None:
    """As the squeeze-and-excitation of MobileNetV3 has it; torch has its first derivative alone."""
    network = nn.Sequential(two_blocks()[0], squashed, nn.Flatten(), nn.Linear(6 * 64, 3))
    assert math.isfinite(find_measure("grasp")(network, torch.rand(32, 3, 8, 8), "cpu"))


def test_grasp_without_a_second_derivative_is_not_defined() -> None:
    class OnceAlone(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            squashed: Tensor = torch.ops.aten.hardsigmoid(x)
            return squashed

    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), OnceAlone(), nn.Linear(4, 2))
    with pytest.raises(Undefined, match="is not known to torch"):
        find_measure("grasp")(network, torch.rand(32, 1, 2, 2), "cpu")


def test_a_network_without_rectifiers_has_no_naswot() -> None:
    """The proxy says so; of several measures it is left out."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    with pytest.raises(Undefined, match="rectifiers"):
        find_measure("naswot")(network, torch.rand(32, 3, 2, 2), "cpu")
    assert measure_network(["naswot", "layers"], network, (3, 2, 2)) == {"layers": 1.0}


def test_a_network_that_does_not_read_its_images_has_no_jacob_cov() -> None:
    """Correlations of gradients that are zero are not defined."""

    class Blind(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.flatten(1)[:, :2] * 0

    with pytest.raises(Undefined):
        find_measure("jacob_cov")(Blind(), torch.rand(32, 1, 2, 2), "cpu")


def test_layers_count_modules_with_weights() -> None:
    """Convolutions, normalisations and linear layers; frozen ones do not count."""
    network = two_blocks()
    assert count_layers(network) == 7
    network[-1].requires_grad_(False)
    assert count_layers(network) == 6


def test_blocks_are_the_composite_modules_of_the_trunk() -> None:
    """The pooling and the classifier are none; lists and sequences that only order blocks are looked into."""
    network = two_blocks()
    assert list_blocks(network) == list(network)[:3]
    nested = nn.ModuleDict({"trunk": nn.Sequential(nn.ModuleList(network[:3]), nn.Identity())})
    assert list_blocks(nested) == list(network)[:3]
    shapes = [tuple(m.shape) for m in read_maps(network, torch.rand(2, 3, 8, 8))]
    assert shapes == [(2, 6, 8, 8), (2, 6, 8, 8), (2, 8, 4, 4)]


def test_proxies_are_labelled_by_real_classes_where_they_are_known() -> None:
    """Other labels give another gradient; without labels the drawn ones are the same each time."""
    proxy, images = find_measure("snip"), torch.rand(32, 3, 8, 8)
    assert isinstance(proxy, Proxy)
    network = two_blocks()
    drawn = [proxy.measure_labelled(network, Batch(images)) for _ in range(2)]
    zeros = proxy.measure_labelled(network, Batch(images, torch.zeros(32, dtype=torch.int64)))
    assert drawn[0] == drawn[1] != zeros


@pytest.mark.parametrize(
    ("goal", "targets", "loss"),
    [
        (Goal("numbers"), torch.linspace(-1, 1, 32), nn.HuberLoss()),
        (Goal("labels"), torch.arange(64).view(32, 2) % 2, nn.BCEWithLogitsLoss()),
    ],
)
def test_gradients_are_of_the_loss_that_a_network_learns_by(
    goal: Goal, targets: Tensor, loss: nn.Module
) -> None:
    """Of numbers and of several labels too, where they asked for classes and failed; correlations within a
    class are not defined there."""
    images = torch.rand(32, 3, 8, 8)
    network = nn.Sequential(*two_blocks()[:-1], nn.Linear(8, 1 if goal.kind == "numbers" else 2))
    batch = Batch(images, targets, goal)
    copied = copy.deepcopy(network)
    outputs = copied(images)
    value = loss(outputs[:, 0], targets) if goal.kind == "numbers" else loss(outputs, targets.float())
    expected = snip(value, [m.weight for m in copied.modules() if isinstance(m, nn.Conv2d | nn.Linear)])
    proxies = {name: find_measure(name) for name in ("snip", "zico", "epe_nas")}
    assert all(isinstance(proxy, Proxy) for proxy in proxies.values())
    assert proxies["snip"].measure_labelled(network, batch) == pytest.approx(expected, rel=1e-5)  # type: ignore[attr-defined]
    assert math.isfinite(proxies["zico"].measure_labelled(network, batch))  # type: ignore[attr-defined]
    with pytest.raises(Undefined, match=f"these have {goal.kind}"):
        proxies["epe_nas"].measure_labelled(network, batch)  # type: ignore[attr-defined]


def test_trainability_of_a_network_is_finite() -> None:
    """On a network with strides and a classifier."""
    assert -10 < Trainability()(two_blocks(), torch.randn(32, 3, 8, 8), "cpu") <= 0.01


@pytest.mark.parametrize("name", ["pnas", "darts", "nasbench201", "macro"])
def test_the_features_of_zen_are_what_is_pooled(name: str) -> None:
    """All channels of the last cell, whose branches are concatenated by a function and rectified by another:
    pooled, they are what the classifier reads. Of such cells the last branch alone was read."""
    space = SPACES.make(name)
    network = space.build(sample(space, stream(0)), Shape(3, 16, 16, 4)).eval()
    classifier = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
    read: list[Tensor] = []
    classifier.register_forward_pre_hook(lambda module, inputs: read.append(inputs[0]))
    features = read_features(network, torch.rand(2, 3, 16, 16))
    assert torch.allclose(features.relu().mean((2, 3)), read[0], atol=1e-6)


def test_a_pooling_within_a_module_is_the_last_one_too() -> None:
    """A module that ends with the pooling returns what is pooled, and no features."""
    trunk = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1))
    network = nn.Sequential(nn.Sequential(trunk), nn.Flatten(), nn.Linear(5, 2))
    assert read_features(network, torch.rand(2, 3, 8, 8)).shape == (2, 5, 6, 6)
