"""The meta-controller of EAS (Cai et al. 2018, Sec. "Architecture search by network transformation"): an
encoder that all actors share, and an actor for each of two transformations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cambrian.strategies.morphing.decided import Decided
from cambrian.strategies.morphing.named_weights import Memory, Reader, blank_memory, step_lstm

WIDER, DEEPER = "wider", "deeper"


class Sizes(NamedTuple):
    embedding: int
    hidden: int


class Offer(NamedTuple):
    """A place where an actor may act: the index of its token, its name, and the variants there."""

    token: int
    name: str
    variants: tuple[str, ...]


class Step(NamedTuple):
    """One decision of an actor on an architecture, as it is remembered with the trial: the tokens it read,
    the places it was offered, and the indices it took."""

    actor: str
    tokens: tuple[str, ...]
    offers: tuple[Offer, ...]
    taken: tuple[int, ...] = ()

    @staticmethod
    def of(memory: Sequence[Any]) -> Step:
        actor, tokens, offers, taken = memory
        read = tuple(Offer(token, name, tuple(variants)) for token, name, variants in offers)
        return Step(actor, tuple(tokens), read, tuple(taken))


def act(read: Reader, step: Step, sizes: Sizes, decided: Decided) -> list[tuple[int, int]]:
    """The (place, variant) that the step's actor takes. The order of decisions is that of `step.taken`."""
    states, end = encode(read, step.tokens, sizes)
    actor = widen if step.actor == WIDER else deepen
    return actor(read, step.offers, states, end, decided)


def encode(read: Reader, tokens: Sequence[str], sizes: Sizes) -> tuple[Tensor, Memory]:
    """The states [tokens, 2 * hidden] of a bidirectional LSTM, and its last memory."""
    embedded = read.embed("token", tuple(tokens), sizes.embedding)
    forth, end = _run(read, "forth", embedded, sizes.hidden)
    back, begin = _run(read, "back", embedded.flip(0), sizes.hidden)
    last = (torch.cat([end[0], begin[0]]), torch.cat([end[1], begin[1]]))
    return torch.cat([forth, back.flip(0)], 1), last


def _run(read: Reader, name: str, embedded: Tensor, hidden: int) -> tuple[Tensor, Memory]:
    memory, states = blank_memory(hidden), []
    for x in embedded:
        memory = step_lstm(read, name, x, memory)
        states.append(memory[0])
    return torch.stack(states), memory


def widen(
    read: Reader, offers: Sequence[Offer], states: Tensor, end: Memory, decided: Decided
) -> list[tuple[int, int]]:
    """Net2Wider: one sigmoid classifier for all layers, whose decisions are taken at once."""
    width = states.shape[1]
    logits = states[[offer.token for offer in offers]] @ read("wider", width) + read("wider bias", 1)
    taken = []
    for place, (offer, logit) in enumerate(zip(offers, logits)):
        if decided.accept(logit):
            variant = _choose_variant(read, offer, states[offer.token], decided)
            taken.append((place, variant))
    return taken


def deepen(
    read: Reader, offers: Sequence[Offer], states: Tensor, end: Memory, decided: Decided
) -> list[tuple[int, int]]:
    """Net2Deeper: a recurrent network that begins with the encoder's last memory says where the new layer
    goes, and then which layer it is."""
    width = len(end[0])
    memory = step_lstm(read, "decoder", read("begin", width), end)
    names = tuple(offer.name for offer in offers)
    place = decided.choose(read.embed("where", names, width) @ memory[0])
    hidden, _ = step_lstm(read, "decoder", read(f"at {names[place]}", width), memory)
    return [(place, _choose_variant(read, offers[place], hidden, decided))]


def _choose_variant(read: Reader, offer: Offer, hidden: Tensor, decided: Decided) -> int:
    if len(offer.variants) == 1:
        return 0
    return decided.choose(read.embed("variant", offer.variants, len(hidden)) @ hidden)
