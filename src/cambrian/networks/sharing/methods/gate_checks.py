"""What a method with gates may get wrong without a word: sites that it leaves out, and gates that the loss
does not reach. A search would end with an architecture that nothing has chosen."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from torch import Tensor

from cambrian.errors import UnknownName, UsageError
from cambrian.networks.sharing.mixing import Mixture
from cambrian.networks.sharing.supernet import Supernet

PASSES = 8
"""Passes in which the loss reaches no gate: sampled candidates may be no connection at every site of a small
cell by chance, but not so often."""


def check_mixtures(mixtures: object, supernet: Supernet, learned: Collection[str]) -> None:
    """Raise UsageError unless `mixtures` has a mixture for each site that is `learned`, of as many weights as
    the site has options, and no others."""
    if not isinstance(mixtures, Mapping):
        raise UsageError(
            f"relax has to return a dictionary of mixtures by site, it gave {type(mixtures).__name__!r}"
        )
    missing = [name for name in learned if name not in mixtures]
    if missing:
        raise UsageError(
            f"relax has no mixture for {len(missing)} of the {len(learned)} sites, such as {missing[0]!r}:"
            " return one for each of the logits"
        )
    for name, mixture in mixtures.items():
        if name not in supernet.sites:
            raise UnknownName("site", name, supernet.sites)
        _check_weights(name, mixture, supernet.sites[name].options)


def _check_weights(name: str, mixture: Mixture | Tensor, options: int) -> None:
    weights = mixture if isinstance(mixture, Tensor) else getattr(mixture, "weights", None)
    if isinstance(weights, Tensor) and weights.shape != (options,):
        raise UsageError(
            f"site {name!r} has {options} options, and its mixture weights of the shape {list(weights.shape)}"
        )


class Connection:
    """Whether the gates' loss depends on any of the `gates`, looked for until it has been found."""

    def __init__(self, gates: Sequence[Tensor]) -> None:
        self._gates = {id(gate) for gate in gates}
        self._found, self._missed = False, 0

    def check(self, loss: Tensor) -> None:
        """Raise UsageError where the loss has reached no gate in so many passes."""
        if self._found or not self._gates:
            return
        self._found = self._reaches(loss)
        self._missed += not self._found
        if self._missed >= PASSES:
            raise UsageError(
                "the loss does not depend on the gates, which would stay as they are: relax returns weights"
                " without a gradient, as .detach(), .item() and torch.no_grad() leave them"
            )

    def _reaches(self, loss: Tensor) -> bool:
        waiting, seen = [loss.grad_fn], set()
        while waiting:
            node = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if id(getattr(node, "variable", None)) in self._gates:
                return True
            waiting += [before for before, _ in node.next_functions]
        return False
