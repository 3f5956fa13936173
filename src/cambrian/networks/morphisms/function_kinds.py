"""The kinds of functions without weights, by name, and what is read of the arguments of their calls."""

from __future__ import annotations

from cambrian.networks.morphisms.recording import Call, Slot, Weight

HOMOGENEOUS = {
    *("relu", "leaky_relu", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"),
    *("max_pool1d", "avg_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool1d", "interpolate", "lp_pool2d"),
}
"""Functions f of each channel alone with f(c x) = c f(x) for c > 0."""
CURVED = {
    *("silu", "gelu", "tanh", "sigmoid", "elu", "selu", "celu", "relu6", "hardswish", "hardsigmoid"),
    *("hardtanh", "softplus", "mish", "softsign", "abs", "exp"),
}
"""Functions of each channel alone."""
ZERO_AT_ZERO = CURVED - {"sigmoid", "hardsigmoid", "softplus", "exp", "hardtanh"}
ADAPTIVE = {
    *("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d"),
}
"""Poolings to a given size: of images of that size they are the identity."""
REDUCING = {"mean", "amax"}
IDENTITIES = {
    *("dropout", "dropout1d", "dropout2d", "alpha_dropout", "contiguous", "clone", "to", "identity"),
    *("data", "real"),
}
"""In evaluation mode."""
SUMS = {"add", "radd", "iadd"}
PRODUCTS = {"mul", "rmul", "imul"}
QUOTIENTS = {"div", "truediv", "itruediv", "true_divide"}
NORMALISATIONS = {"group_norm", "layer_norm", "instance_norm"}
"""Functions that end by a multiplication with a weight and the addition of a bias."""
AFFINE = {"batch_norm": 3, "instance_norm": 3, "group_norm": 2, "layer_norm": 2}
"""The place of a normalisation's weight among its arguments; its bias is the next."""
RESHAPES = {"flatten", "view", "reshape"}
OF_WEIGHTS = {*SUMS, *PRODUCTS, *QUOTIENTS, *CURVED, *IDENTITIES, "relu", "stack"}
"""Functions whose rules hold where they read weights alone, of which channels may be another axis."""


def read_factor(call: Call) -> float | None:
    """The number, not below 0, by which the call multiplies one value; None where it does not."""
    return read_number(call) if len(call.slots) == 1 and not call.weights else None


def read_number(call: Call) -> float | None:
    """The number by which the call multiplies one value or one weight; None where it does not."""
    if call.function not in PRODUCTS | QUOTIENTS or len(call.slots) + len(call.weights) != 1:
        return None
    # A number that is divided by a value is none of these.
    if call.function in QUOTIENTS and (not isinstance(call.args[0], Slot | Weight) or call.named):
        return None
    numbers = [float(a) for a in call.args if isinstance(a, int | float)]
    if len(numbers) != 1 or numbers[0] < 0 or (call.function in QUOTIENTS and not numbers[0]):
        return None
    return 1 / numbers[0] if call.function in QUOTIENTS else numbers[0]


def read_affine(call: Call) -> tuple[str, ...]:
    """The names of a normalisation's weight and bias. Empty where it has no weight of the network's own, or
    where its bias is computed."""
    place = AFFINE.get(call.function, len(call.args))
    weight, bias = (
        call.named.get(name, call.args[i] if len(call.args) > i else None)
        for name, i in (("weight", place), ("bias", place + 1))
    )
    if not isinstance(weight, Weight) or isinstance(bias, Slot):
        return ()
    return (weight.name, bias.name) if isinstance(bias, Weight) else (weight.name,)


def reduces_stack(call: Call) -> bool:
    """Whether the call is a sum or mean over the first axis, as of values that were stacked."""
    if call.function not in ("sum", "mean") or len(call.slots) != 1:
        return False
    return call.named.get("dim", call.args[1] if len(call.args) > 1 else None) in (0, (0,))


def keeps_zero(call: Call) -> bool:
    """Whether the function, of each channel alone, is 0 at 0."""
    if call.function == "hardtanh":
        low, high = (
            call.named.get(name, call.args[i] if len(call.args) > i else default)
            for name, i, default in (("min_val", 1, -1.0), ("max_val", 2, 1.0))
        )
        return bool(low <= 0 <= high)
    return call.function in ZERO_AT_ZERO
