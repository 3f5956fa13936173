"""The promises of a space on the networks that it builds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.choices import Choice
from cambrian.errors import IllegalArchitecture, Unbuildable, UsageError
from cambrian.spaces.knowledge import Shares
from cambrian.spaces.sharing import outer
from cambrian.spaces.space import Pick, Space
from cambrian.testing.cases import SpaceCase
from cambrian.testing.suite import applies, expect, know_or_skip

if TYPE_CHECKING:
    from torch import nn

BUILT = 3  # networks built by a check; more are tried where some are unbuildable


def check_build_gives_a_logit_per_class(case: SpaceCase) -> None:
    """float[n, channels, height, width] becomes finite float[n, classes], in training and evaluation."""
    import torch

    for _architecture, network in _build_some(case):
        inputs = torch.randn(4, case.task.channels, case.task.height, case.task.width)
        for training in (True, False):
            network.train(training)
            for logits in list_outputs(network(inputs)):
                expect(logits.shape == (4, case.task.classes), f"4 inputs became {list(logits.shape)}")
                expect(torch.isfinite(logits).all(), "there are logits that are not finite")


def check_build_depends_on_the_seed_alone(case: SpaceCase) -> None:
    """Built twice after the same torch seed, a network has the same modules and the same weights."""
    import torch

    for architecture, network in _build_some(case):
        again = build_network(case, architecture)
        expect(str(again) == str(network), f"a second build of {architecture!r} has other modules")
        one, other = network.state_dict(), again.state_dict()
        expect(list(one) == list(other), "a second build has other parameters")
        expect(all(torch.equal(one[k], other[k]) for k in one), "the same seed gives other weights")


def check_build_leaves_the_architecture_alone(case: SpaceCase) -> None:
    """Building a network changes no architecture, neither its own nor another one."""
    before = [(dict(a), a.key) for a in case.samples[:BUILT]]
    _build_some(case)
    expect(before == [(dict(a), a.key) for a in case.samples[:BUILT]], "building changed an architecture")


def check_networks_are_plain_torch(case: SpaceCase) -> None:
    """No module holds the space, an architecture or a questioner: the network stands alone."""
    for _architecture, network in _build_some(case):
        for name, module in network.named_modules():
            # Six levels deep: a list, a dictionary or a closure hides it as well as an attribute.
            kind = _ours(vars(module), 6)
            expect(not kind, f"module {name!r} holds a {kind}")


def check_networks_can_be_copied(case: SpaceCase) -> None:
    """A deep copy has the same outputs, so that weights can be averaged, kept and compared."""
    import copy

    import torch

    for _architecture, network in _build_some(case):
        network.eval()
        inputs = torch.randn(2, case.task.channels, case.task.height, case.task.width)
        same = zip(list_outputs(copy.deepcopy(network)(inputs)), list_outputs(network(inputs)), strict=True)
        expect(all(torch.equal(a, b) for a, b in same), "a copy of the network gives other outputs")


def check_networks_train(case: SpaceCase) -> None:
    """The loss has a finite, not everywhere vanishing gradient, and a step along it changes outputs."""
    import torch

    for architecture, network in _build_some(case):
        torch.default_generator.manual_seed(1)
        inputs = torch.randn(8, case.task.channels, case.task.height, case.task.width)
        targets = torch.arange(8) % case.task.classes
        logits = list_outputs(network(inputs))
        expect(logits[0].requires_grad, f"{architecture!r} gives logits that nothing can be learned from")
        losses = [torch.nn.functional.cross_entropy(one, targets) for one in logits]
        # All heads together: an auxiliary one alone would leave the rest of the network without gradient.
        torch.autograd.backward(losses)
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        expect(all(torch.isfinite(g).all() for g in gradients), "a gradient is not finite")
        expect(any(g.abs().max() > 0 for g in gradients), f"no gradient reaches a weight of {architecture!r}")


def check_networks_are_exported(case: SpaceCase) -> None:
    """As a program, in which the number of images is left open, a network has the same outputs."""
    import warnings

    import torch

    ((_architecture, network),) = _build_some(case, most=1)
    network.eval()
    shape = (case.task.channels, case.task.height, case.task.width)
    left_open = ({0: torch.export.Dim("batch", min=1)},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(network, (torch.zeros(2, *shape),), dynamic_shapes=left_open)
        program = exported.module()
    # Other numbers than the traced 2: an exported program easily fixes the one that it was traced with.
    for images in (1, 3):
        inputs = torch.randn(images, *shape)
        near = torch.allclose(program(inputs), network(inputs), rtol=1e-4, atol=1e-5)
        expect(near, f"for {images} images the exported program gives other outputs")


def run_seeded(network: Any, inputs: Any) -> Any:
    """The outputs for `inputs`, the random numbers of torch beginning anew."""
    import torch

    torch.default_generator.manual_seed(0)
    return network(inputs)


def check_supernets_are_their_networks(case: SpaceCase) -> None:
    """Where the space shares weights: the supernet that has chosen an architecture is, bit for bit, the
    network of that architecture with the supernet's weights, and unchosen parts get no gradient."""
    import torch

    space = know_or_skip(case.space, Shares, "the space shares no weights")
    # Made once for each outer answer: it takes longer than all that follows.
    share = cache(lambda answers: space.share(answers, case.task, **case.skeleton))
    for architecture, network in _build_some(case):
        supernet = share(Architecture(outer(case.space, architecture)))
        supernet.zero_grad(set_to_none=True)
        network.load_state_dict(supernet.weights(architecture))
        supernet.choose(architecture)
        inputs = torch.randn(4, case.task.channels, case.task.height, case.task.width)
        for training in (False, True):
            supernet.train(training)
            network.train(training)
            # From the same seed, since a network may drop units at random.
            same = zip(*(list_outputs(run_seeded(each, inputs)) for each in (supernet, network)), strict=True)
            expect(all(torch.equal(a, b) for a, b in same), f"shared, {architecture!r} has other outputs")
        chosen = set(supernet.list_parameters(architecture))
        torch.autograd.backward([logits.sum() for logits in list_outputs(supernet(inputs))])
        named = supernet.named_parameters(remove_duplicate=False)
        # By identity: two names may share one tensor, of which a single one is chosen.
        reached = {id(p) for n, p in named if n in chosen}
        idle = [n for n, p in supernet.named_parameters() if id(p) not in reached and p.grad is not None]
        expect(not idle, f"what {architecture!r} did not choose gets a gradient: {', '.join(idle[:3])}")


def check_build_works_without_memory(case: SpaceCase) -> None:
    """Inside `with torch.device("meta")` nothing is allocated: limits are checked so before training."""
    import torch

    for architecture, network in _build_some(case):
        with torch.device("meta"):
            draft = case.space.build(architecture, case.task, **case.skeleton)
        expect(all(p.device.type == "meta" for p in draft.parameters()), "a draft allocates weights")
        # The same sizes: a limit is decided by this draft for the network that is built later.
        sizes = [p.shape for p in draft.parameters()]
        expect(sizes == [p.shape for p in network.parameters()], "a draft has other weights")


def check_build_refuses_foreign_answers(case: SpaceCase) -> None:
    """An architecture with an answer to a question that this space does not ask is not built."""
    architecture = Architecture({**case.samples[0], "no such question": 1})
    try:
        case.space.build(architecture, case.task, **case.skeleton)
    except IllegalArchitecture:
        return
    expect(False, "an architecture of another space is built")


def check_unknown_skeleton_settings_are_refused(case: SpaceCase) -> None:
    """A skeleton setting that the space does not have is a mistake of the user's, said in a sentence."""
    try:
        case.space.build(case.samples[0], case.task, **{**case.skeleton, "no_such_setting": 1})
    except UsageError as error:
        expect("no_such_setting" in str(error), f"the message does not name the setting: {error}")
        return
    expect(False, "an unknown skeleton setting is ignored")


def parameters(case: SpaceCase, architecture: Architecture) -> int:
    """The number of parameters of `architecture`'s network."""
    return sum(p.numel() for p in build_network(case, architecture).parameters())


def build_network(case: SpaceCase, architecture: Architecture) -> nn.Module:
    import torch

    # Seeded in a fork: a build draws first weights, and must not disturb the next check. By the generator of
    # the CPU: `torch.manual_seed` writes down the caller's stack for every device that is not in use.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return case.space.build(architecture, case.task, **case.skeleton)


def _build_some(case: SpaceCase, most: int = BUILT) -> list[tuple[Architecture, nn.Module]]:
    built: list[tuple[Architecture, nn.Module]] = []
    for architecture in dict.fromkeys(case.samples):
        if len(built) == most:
            break
        try:
            built.append((architecture, build_network(case, architecture)))
        except Unbuildable:
            continue
    applies(built, "no sampled architecture can be built for this task")
    return built


def list_outputs(output: Any) -> tuple[Any, ...]:
    """The logits, and those of an auxiliary head where there is one."""
    return output if isinstance(output, tuple) else (output,)


def _ours(value: Any, depth: int) -> str:
    """The type name of the first object of this library in `value`, or ""."""
    if isinstance(value, Space | Architecture | Pick | Choice):
        return type(value).__name__
    inner: list[Any] = []
    if isinstance(value, Mapping):
        inner = list(value.values())
    elif isinstance(value, list | tuple | set):
        inner = list(value)
    elif hasattr(value, "__closure__"):
        inner = [cell.cell_contents for cell in value.__closure__ or ()]
    return next(filter(None, (_ours(v, depth - 1) for v in inner if depth)), "")


CHECKS = (
    check_build_gives_a_logit_per_class,
    check_build_depends_on_the_seed_alone,
    check_build_leaves_the_architecture_alone,
    check_networks_are_plain_torch,
    check_networks_can_be_copied,
    check_networks_train,
    check_networks_are_exported,
    check_supernets_are_their_networks,
    check_build_works_without_memory,
    check_build_refuses_foreign_answers,
    check_unknown_skeleton_settings_are_refused,
)
