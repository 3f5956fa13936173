"""The promises of a space that knows the gates of its supernet (`Mixes`), and the supernets of partial
channels (`SharesPartly`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, replay, sample
from cambrian.randomness import stream
from cambrian.spaces.knowledge import Mixes, Shares, SharesPartly, Site
from cambrian.spaces.sharing import outer
from cambrian.testing.cases import SpaceCase
from cambrian.testing.networks import list_outputs, run_seeded
from cambrian.testing.suite import expect, know_or_skip

if TYPE_CHECKING:
    from cambrian.networks.sharing.supernet import Supernet

DRAWS = 3
"""Random gates of a check that runs a supernet."""


def check_sites_are_the_supernets(case: SpaceCase) -> None:
    """Every fork of the supernet is at a site, which has as many options, and the other sites are those of a
    larger network."""
    sites, forks = _sites(case), dict[str, set[int]]()
    for fork in _list_forks(_share(case)):
        forks.setdefault(fork.gate, set()).add(len(fork.mixable))
    expect(sites, "the space names no site")
    missing = [gate for gate in forks if gate not in sites]
    expect(not missing, f"the supernet's forks {missing[:3]} are at no site")
    for name, counts in forks.items():
        expect(counts == {len(sites[name].options)}, f"site {name!r} has other options than its forks")
    for name, site in sites.items():
        nothing = site.nothing is None or 0 <= site.nothing < len(site.options)
        expect(nothing, f"of site {name!r} no connection is option {site.nothing}, which it does not have")


def check_gates_lead_to_architectures(case: SpaceCase) -> None:
    """The architecture of any gates is legal and has the outer answers, with or without the sites of edges;
    the same gates give the same one, and not all gates do. Its skips are some of its operations. So is the
    architecture that runs while all sites are mixed legal."""
    mixes, sites, fixed = _mixes(case), _sites(case), _outer(case)
    whole = mixes.find_whole(fixed)
    expect(replay(case.space, whole) == whole, "the architecture of the mixed supernet is not legal")
    derived = set()
    for n in range(10):
        gates = _draw_gates(sites, n, edges=n % 2 == 0)
        architecture = mixes.derive(gates, fixed)
        expect(mixes.derive(gates, fixed) == architecture, "the same gates lead to two architectures")
        expect(replay(case.space, architecture) == architecture, f"gates lead to {architecture!r}, not legal")
        expect(outer(case.space, architecture) == dict(fixed), "gates change the outer answers")
        skips = mixes.count_skips(architecture)
        expect(0 <= skips.count <= skips.operations, f"{skips.count} skips of {skips.operations} operations")
        derived.add(architecture)
    expect(len(derived) > 1, "all gates lead to the same architecture")


def check_mixtures_of_ones_and_zeros_are_networks(case: SpaceCase) -> None:
    """Mixed by gates of ones and zeros, the supernet gives, bit for bit, what it gives as the architecture
    that these lead to; sites of which that has nothing are no connection."""
    import torch

    from cambrian.networks.sharing.methods.gate_step import complete
    from cambrian.networks.sharing.mixing import Weighted

    mixes, sites, fixed = _mixes(case), _sites(case), _outer(case)
    supernet = _share(case).eval()
    inputs = torch.randn(4, case.task.channels, case.task.height, case.task.width)
    tried = 0
    for n in range(DRAWS):
        gates = _decide_gates(mixes, sites, fixed, n)
        if gates is None:
            continue
        tried += 1
        architecture = mixes.derive(gates, fixed)
        supernet.choose(architecture)
        expected = list_outputs(run_seeded(supernet, inputs))
        there = {name: Weighted(torch.tensor(gate)) for name, gate in gates.items() if name in supernet.sites}
        supernet.mix(complete(there, supernet))
        mixed = list_outputs(run_seeded(supernet, inputs))
        same = all(torch.equal(a, b) for a, b in zip(mixed, expected, strict=True))
        expect(same, f"mixed by ones and zeros, {architecture!r} has other outputs")
    expect(tried, "no gates of ones and zeros lead where nearly the same gates do")


def check_partial_channels_run(case: SpaceCase) -> None:
    """Where operations see half of the channels, the supernet runs as any of its architectures, with finite
    outputs, and has fewer weights."""
    import torch

    partly = know_or_skip(case.space, SharesPartly, "the space has no supernets of partial channels")
    supernet = partly.share_partly(_outer(case), case.task, 2, **case.skeleton).eval()
    inputs = torch.randn(4, case.task.channels, case.task.height, case.task.width)
    for architecture in case.samples[:DRAWS]:
        if outer(case.space, architecture) == dict(_outer(case)):
            supernet.choose(architecture)
            for logits in list_outputs(supernet(inputs)):
                expect(logits.shape == (4, case.task.classes), f"4 inputs became {list(logits.shape)}")
                expect(torch.isfinite(logits).all(), f"partly, {architecture!r} gives what is not finite")
    fewer, all_of_them = (sum(p.numel() for p in each.parameters()) for each in (supernet, _share(case)))
    expect(fewer < all_of_them, "operations of half of the channels have as many weights as those of all")


def _decide_gates(
    mixes: Mixes, sites: Mapping[str, Site], fixed: Architecture, n: int
) -> dict[str, list[float]] | None:
    """Gates of ones and zeros, without those of edges; None where they lead elsewhere than the numbers do
    from which they are rounded."""
    rng = stream(n, "decided gates")
    own = {name: site for name, site in sites.items() if not site.edges}
    chosen, most = dict[str, int](), dict[str, float]()
    for name, site in own.items():
        # No connection on every second draw alone: where too few are left, the space has to add some.
        options = [i for i in range(len(site.options)) if n % 2 or i != site.nothing]
        chosen[name], most[name] = int(rng.choice(options)), float(rng.uniform(0.8, 1))

    def draw(name: str, option: int, turned: bool = False) -> list[float]:
        rest = [(1 - most[name]) * 0.5 ** (i + 2) for i in range(len(own[name].options))]
        return [most[name] if i == option else r for i, r in enumerate(rest[::-1] if turned else rest)]

    gates = {name: draw(name, chosen[name]) for name in own}
    architecture = mixes.derive(gates, fixed)
    if mixes.derive({name: draw(name, chosen[name], True) for name in own}, fixed) != architecture:
        return None  # it goes by options that are zeros once they are rounded
    for name, site in own.items():
        others = [i for i in range(len(site.options)) if i not in (site.nothing, chosen[name])]
        if site.nothing is None or chosen[name] == site.nothing or not others:
            continue
        # Another option there makes no difference: the architecture does not have this edge.
        if mixes.derive({**gates, name: draw(name, others[0])}, fixed) == architecture:
            chosen[name] = site.nothing
    ones = {name: [float(i == chosen[name]) for i in range(len(own[name].options))] for name in own}
    return ones if mixes.derive(ones, fixed) == architecture else None


def _draw_gates(sites: Mapping[str, Site], n: int, *, edges: bool) -> dict[str, list[float]]:
    rng = stream(n, "gates")
    drawn = {name: rng.dirichlet([1.0] * len(site.options)).tolist() for name, site in sites.items()}
    return {name: gate for name, gate in drawn.items() if edges or not sites[name].edges}


def _share(case: SpaceCase) -> Supernet:
    import torch

    from cambrian.estimators.gate_course import show_sites

    shares = know_or_skip(case.space, Shares, "the space shares no weights")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        supernet = shares.share(_outer(case), case.task, **case.skeleton)
    show_sites(case.space, supernet)
    return supernet


def _list_forks(supernet: Supernet) -> list[Any]:
    from cambrian.networks.sharing.switches import Fork

    return [module for module in supernet.modules() if isinstance(module, Fork) and module.gate]


def _outer(case: SpaceCase) -> Architecture:
    return Architecture(outer(case.space, sample(case.space, stream(1, "conformance", 0))))


def _sites(case: SpaceCase) -> Mapping[str, Site]:
    return _mixes(case).list_sites(_outer(case))


def _mixes(case: SpaceCase) -> Mixes:
    return know_or_skip(case.space, Mixes, "the space's supernet is not mixed")


CHECKS = (
    check_sites_are_the_supernets,
    check_gates_lead_to_architectures,
    check_mixtures_of_ones_and_zeros_are_networks,
    check_partial_channels_run,
)
