"""Proxies of the loss's gradient with respect to the weights: grad_norm, snip, grasp, plain (Abdelfattah et
al. 2021, arXiv 2101.08134), and the norm of the weights alone, l2_norm. Each is a sum over the weights of
convolutions and linear layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor, nn

from cambrian.networks.measure.undefined import Undefined
from cambrian.networks.measure.zero_cost.proxy import Batch, Proxy, compute_loss, differentiate, weights_of
from cambrian.networks.second_derivatives import is_unknown, twice_differentiable
from cambrian.settings import Span


def grad_norm(loss: Tensor, weights: Sequence[Tensor]) -> float:
    """The sum over layers of the gradient's norm, and not the norm of all gradients."""
    return _total(g.norm() for g in differentiate(loss, weights))


def snip(loss: Tensor, weights: Sequence[Tensor]) -> float:
    """The sum of |w g|: how much the loss depends on each connection (Lee et al. 2019, arXiv 1810.02340)."""
    gradients = differentiate(loss, weights)
    return _total((w * g).abs().sum() for w, g in zip(weights, gradients, strict=True))


def plain(loss: Tensor, weights: Sequence[Tensor]) -> float:
    """The sum of w g. Normalised layers do not depend on the scale of their weights, so that their shares
    are zero, and the rest is the classifier's."""
    gradients = differentiate(loss, weights)
    return _total((w * g).sum() for w, g in zip(weights, gradients, strict=True))


def grasp(loss: Tensor, weights: Sequence[Tensor]) -> float:
    """The negative sum of w (H g), with the Hessian H of the loss (Wang et al. 2020, arXiv 2002.07376). The
    sign is that of the proxy of 2021, the opposite of the pruning criterion."""
    gradients = differentiate(loss, weights, again=True)
    # The first gradient is detached: only the Hessian is differentiated, g is a constant vector.
    product = sum((g.detach() * g).sum() for g in gradients)
    if not isinstance(product, Tensor):
        return 0.0
    curvature = differentiate(product, weights)
    return -_total((w * h).sum() for w, h in zip(weights, curvature, strict=True))


def l2_norm(weights: Sequence[Tensor]) -> float:
    """The sum over layers of the weights' norm."""
    return _total(w.norm() for w in weights)


def _total(shares: Iterable[Tensor]) -> float:
    """The sum in double precision: of a thousand layers the small ones count too."""
    return sum(float(share.detach().double()) for share in shares)


@dataclass(frozen=True)
class GradNorm(Proxy):
    """The sum over layers of the norm of the loss's gradient."""

    phrase: ClassVar[str] = "sum over layers of the gradient's norm"

    def score(self, network: nn.Module, batch: Batch) -> float:
        return grad_norm(compute_loss(network, batch), weights_of(network))


@dataclass(frozen=True)
class Snip(Proxy):
    """How much the loss depends on each connection: the sum of |weight x gradient|."""

    phrase: ClassVar[str] = "sum of |weight x gradient|"

    def score(self, network: nn.Module, batch: Batch) -> float:
        return snip(compute_loss(network, batch), weights_of(network))


@dataclass(frozen=True)
class Plain(Proxy):
    """The sum of weight x gradient. It is noise where layers are normalised, also in the reference scores,
    with which it therefore does not agree: two drawings of the weights do not either."""

    phrase: ClassVar[str] = "sum of weight x gradient"

    def score(self, network: nn.Module, batch: Batch) -> float:
        return plain(compute_loss(network, batch), weights_of(network))


@dataclass(frozen=True)
class Grasp(Proxy):
    """How well the gradient flows: the negative sum of weight x (Hessian x gradient). It is a difference of
    large terms, and between two drawings of the weights it may change its sign: it agrees with the reference
    scores no better than with itself. Not defined where torch does not know a second derivative."""

    phrase: ClassVar[str] = "negative sum of weight x (Hessian x gradient)"

    def score(self, network: nn.Module, batch: Batch) -> float:
        try:
            with twice_differentiable():
                return grasp(compute_loss(network, batch), weights_of(network))
        except RuntimeError as error:
            if is_unknown(error):
                raise Undefined(f"its {self.phrase} is not known to torch: {error}") from error
            raise


@dataclass(frozen=True)
class L2Norm(Proxy):
    """The sum over layers of the norm of the weights, as they are drawn."""

    images: Annotated[int, Span(1)] = 1
    reads_batch: ClassVar[bool] = False
    phrase: ClassVar[str] = "sum over layers of the weights' norm"

    def score(self, network: nn.Module, batch: Batch) -> float:
        return l2_norm(weights_of(network))
