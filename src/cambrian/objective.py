"""What a search is after: a figure by its name, and whether more or less of it is better.

Values are in the user's own unit and sign everywhere: in the ledger, on the screen, in JSON. Whoever ranks
them asks `Trial.merit` (see `cambrian.outcome`), which is the one place where the direction becomes a sign.
"""

from __future__ import annotations

import re

import msgspec

from cambrian.errors import UsageError

_LESS = """loss losses error errors err latency latencies perplexity ppl rmse mse mae mape nll bpc bpb wer cer
fid entropy xent crossentropy regret runtime duration ms energy misclassification"""
_MORE = "acc accuracy auc f1 score precision recall map psnr bleu reward gain fps throughput"
_NEGATED = "neg negative negated minus inverse inv reduction saved"


class Objective(msgspec.Struct, frozen=True):
    """
    >>> print(Objective("val_loss", minimize=True))
    val_loss, lower is better
    """

    name: str = "value"
    minimize: bool = False

    def __str__(self) -> str:
        return f"{self.name}, {'lower' if self.minimize else 'higher'} is better"


def sounds_lower(name: str) -> bool:
    """Whether a name is that of a figure of which less is better.

    >>> [sounds_lower(name) for name in ("val_loss", "testError", "valid_acc", "neg_log_loss", "value")]
    [True, True, False, False, False]
    """
    return _names(name, _LESS, but_not=(_MORE, _NEGATED))


def sounds_higher(name: str) -> bool:
    """Whether a name is that of a figure of which more is better."""
    return _names(name, _MORE, but_not=(_LESS, _NEGATED))


def decide_direction(name: str, minimize: bool | None) -> bool:
    """Whether `name` is to be minimised: as it was said, else not, which is the convention. Raises UsageError
    where nothing was said of a figure that sounds like one of which less is better."""
    if minimize is None and sounds_lower(name):
        raise UsageError(
            f"of the objective {name!r} lower is better, by its name, but nobody has said so: give --minimize"
            " to find the lowest (minimize=True in Python), --maximize (minimize=False) to find the highest"
        )
    return bool(minimize)


def _names(name: str, words: str, but_not: tuple[str, ...]) -> bool:
    """Whether one of the words is in a name such as `val_loss` or `valLoss`, and none of the others."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    parts = set(re.split(r"[^a-z0-9]+", spaced.lower()))
    return bool(parts & set(words.split())) and not parts & set(" ".join(but_not).split())
