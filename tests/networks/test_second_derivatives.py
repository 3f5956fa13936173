"""Second derivatives where torch has the first one alone."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from cambrian.networks.second_derivatives import is_unknown, twice_differentiable


@pytest.mark.parametrize("inplace", [False, True])
def test_the_hard_sigmoid_works_in_place_where_it_is_told_to(inplace: bool) -> None:
    """A forward that goes on with the tensor it gave has the same outputs and slopes, and has second ones."""
    read = []
    for known in (False, True):
        x = torch.linspace(-4, 4, 7, dtype=torch.float64, requires_grad=True)
        given = x * x
        if known:
            with twice_differentiable():
                F.hardsigmoid(given, inplace=inplace)
        else:
            F.hardsigmoid(given, inplace=inplace)
        (slope,) = torch.autograd.grad(given.sum(), x, create_graph=known)
        read.append((given.detach(), slope.detach()))
    assert all(map(torch.allclose, *read))
    (second,) = torch.autograd.grad(slope.sum(), x)
    # Of x^2 / 6 + 1 / 2 below its bend, and of x^2.
    bent = torch.where(x.abs() < 3**0.5, 1 / 3, 0.0) if inplace else torch.tensor(2.0)
    assert torch.allclose(second, bent.double().expand(7))


def test_what_torch_says_of_a_derivative_that_it_does_not_know() -> None:
    """Of its own functions, of a user's, and of compiled ones, whose sentence is another one: a supernet with
    such a one died at the end of its first epoch. Any other error is one."""
    once = "trying to differentiate twice a function that was marked with @once_differentiable"
    compiled = "torch.compile with aot_autograd does not currently support double backward"
    own = "derivative for aten::_cdist_backward is not implemented"
    assert all(is_unknown(RuntimeError(text)) for text in (once, compiled, own))
    assert not is_unknown(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


@pytest.mark.slow
def test_compiled_functions_say_so() -> None:
    """In these words, of the torch that is installed."""
    compiled = torch.compile(F.softplus, backend="aot_eager")
    x = torch.ones(3, requires_grad=True)
    (slope,) = torch.autograd.grad(compiled(x).pow(2).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError) as error:
        slope.sum().backward()
    assert is_unknown(error.value)
