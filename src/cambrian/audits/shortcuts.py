"""Shortcuts of the estimation of performance (Elsken et al. 2019, Table 1), read from texts.

`train(epochs=1, fraction=0.1, filters=4, resolution=8)` is a lower fidelity: whatever it does not name is as
in the truth. `inherited(...)` is that with the weights of a trained relative, `one-shot(...)` scores with
those of a supernet, and any measure of the untrained network is a shortcut by its name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cambrian.effort import PARTS, compare_size, count_epochs
from cambrian.errors import UnknownName, UsageError
from cambrian.estimators import ESTIMATORS
from cambrian.networks.measure import MEASURES
from cambrian.outcome import Fidelity
from cambrian.spaces.space import Space
from cambrian.spec_text import read_arguments, split_call
from cambrian.type_words import describe_mismatch

FRESH, INHERITED, ONE_SHOT = "fresh", "inherited", "one-shot"
"""Whose weights a shortcut's networks begin with."""
COIN = "coin"
BASELINES = ("params", "macs", "layers", COIN)
"""In every audit: they cost nothing."""
HIDDEN = ("function", "proxy", "tabular")
"""Estimators that no shortcut names: a proxy is its measure, a table the benchmark."""
TRAINED = {"train": "train", INHERITED: "train", ONE_SHOT: "one-shot"}
"""The estimators behind the names of shortcuts that train."""


@dataclass(frozen=True)
class Shortcut:
    """`label` is the user's text. `estimator` is the spec of the one that measures, at `fidelity`. `named`
    are the parts of the fidelity that the text names; `method` trains the supernet of a one-shot."""

    label: str
    estimator: Mapping[str, Any]
    fidelity: Fidelity
    named: Mapping[str, Any] = field(default_factory=dict)
    weights: str = FRESH
    method: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trains(self) -> bool:
        """Whether it trains networks, so that its epochs say what it costs."""
        return self.estimator["name"] in TRAINED.values()

    @property
    def searchable(self) -> bool:
        """Whether a search can measure by it without anything else being trained first."""
        return self.weights == FRESH

    def describe(self) -> dict[str, Any]:
        """The setting of a search that measures by this shortcut, as JSON."""
        return {"estimator": dict(self.estimator), "fidelity": msgspec.to_builtins(self.fidelity)}


def list_names() -> list[str]:
    """The names that a shortcut may have."""
    estimators = [name for name in ESTIMATORS.names() if name not in HIDDEN]
    return sorted({*estimators, *TRAINED, *MEASURES.names()})


def read_shortcut(text: str, base: Fidelity, space: Space) -> Shortcut:
    """The shortcut in `text`; what it does not name of a fidelity is that of `base`. Raises UnknownName with
    the nearest name, UsageError."""
    name, inside = split_call(text, "shortcut")
    if name in MEASURES.names() or ":" in name:
        from cambrian.networks.measure.measure import find_measure

        find_measure(text, "shortcut")
        return Shortcut(text, {"name": "proxy", "arguments": {"measure": text}}, base)
    if name not in list_names():
        raise UnknownName("shortcut", name, list_names())
    settings = read_arguments(inside, "shortcut", text)
    method = _read_method(settings.pop("method", "uniform"))[0] if name == ONE_SHOT else {}
    own, named = _split(TRAINED.get(name, name), settings, text, space)
    estimator = {"name": TRAINED.get(name, name), "arguments": own}
    ESTIMATORS.make(estimator)  # refuses a value that it cannot have
    weights = name if name in (INHERITED, ONE_SHOT) else FRESH
    return Shortcut(text, estimator, change_fidelity(base, named), named, weights, method)


def change_fidelity(base: Fidelity, named: Mapping[str, Any]) -> Fidelity:
    """The fidelity with other parts, and other settings of the skeleton."""
    fields = {name: value for name, value in named.items() if name in PARTS}
    skeleton = {**base.skeleton, **{n: v for n, v in named.items() if n not in PARTS}}
    try:
        changed = {**msgspec.to_builtins(base), **fields, "skeleton": skeleton}
        return msgspec.convert(changed, Fidelity)
    except msgspec.ValidationError as error:
        raise UsageError(f"the fidelity {dict(named)} cannot be: {describe_mismatch(error)}") from None


def check_cheaper(shortcut: Shortcut, truth: Shortcut) -> None:
    """Raise UsageError for a training that costs as much as the truth."""
    # A supernet is trained once for the whole sample, so that its epochs may be many.
    if not (shortcut.trains and truth.trains) or shortcut.weights == ONE_SHOT:
        return
    own, full = count_epochs(shortcut.fidelity), count_epochs(truth.fidelity)
    if shortcut.fidelity.seconds is None and own * compare_size(shortcut.fidelity, truth.fidelity) >= full:
        raise UsageError(
            f"the shortcut {shortcut.label!r} is not cheaper than the truth {truth.label!r}: it trains for"
            f" {own:g} epochs, the truth for {full:g}; name fewer, or something smaller"
        )


def _split(
    estimator: str, settings: Mapping[str, Any], text: str, space: Space
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings that are the estimator's, and those that are parts of the fidelity."""
    entry = ESTIMATORS.get(estimator)
    fields = [f.name for f in dataclasses.fields(entry) if f.init]
    for name in settings:
        if name not in (*PARTS, *fields, *space.skeleton):
            raise UnknownName(f"setting of the shortcut {text!r}:", name, [*PARTS, *fields, *space.skeleton])
    own = {name: value for name, value in settings.items() if name in fields and name not in PARTS}
    return own, {name: value for name, value in settings.items() if name not in own}


def _read_method(given: Any) -> tuple[dict[str, Any], Any]:
    """The spec of a method that trains supernets, checked, and the method."""
    from cambrian.networks.sharing.methods import SUPERNET_METHODS

    spec = {"name": given, "arguments": {}} if isinstance(given, str) else dict(given)
    return spec, SUPERNET_METHODS.make(spec)
