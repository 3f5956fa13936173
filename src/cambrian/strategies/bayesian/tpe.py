"""Optuna's samplers as strategies, and any space as an Optuna study: by default the tree-structured Parzen
estimator (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011).

A space asks questions while it runs, and so does an Optuna objective ("define by run"), so that each question
becomes a parameter. Needs `pip install 'cambrian[optuna]'`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from cambrian.architecture import Architecture, sample
from cambrian.choices import Answer, Choice, Integer, OneOf, Real
from cambrian.errors import MissingExtra, Rejected, UnknownName, UsageError
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.strategies.strategy import Evaluate, Proposal

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space

Ask = Callable[[str, Any], Any]
"""A parameter's value, given its name and distribution."""

Known = dict[str, Any]
"""The distribution with which each name was first asked in a study."""


KEPT = {
    "QMCSampler": "counts its points in its study",
    "GridSampler": "has its grid in one random order",
    "CmaEsSampler": "keeps its distribution as a pickle, which no run directory holds",
    "PartialFixedSampler": "is around another sampler object",
}
"""Samplers that are more than a function of the study's trials, and what else they need."""


@dataclass(frozen=True)
class State:
    """The learned trials as Optuna's frozen trials, and the distributions of their parameters by name."""

    space: Any
    trials: tuple[Any, ...] = ()
    known: Known = field(default_factory=dict)


@dataclass(frozen=True)
class TPE:
    """`sampler` names a class of `optuna.samplers`, `settings` are its arguments. Every proposal builds a new
    study and seeds the sampler from the proposal's stream, so that a proposal is a function of the learned
    trials. A sampler's attributes of a trial are kept in the trial's memory; those of the study (NSGA-II's
    parents) are computed again. Failed trials count as pruned, pending ones as running. A sampler that would
    have to be kept from one proposal to the next is refused."""

    sampler: str = "TPESampler"
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: ClassVar[tuple[type, ...]] = ()

    def start(self, problem: Problem) -> State:
        state = State(problem.space)
        # So that a wrong name or setting, or a question that the sampler cannot answer, is reported before
        # anything runs. A walk may be rejected, as any other.
        with _quiet(), suppress(Rejected):
            suggest(problem.space, self.study(state, ()).ask())
        return state

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        with _quiet():
            study = self.study(state, pending)
            study.sampler = self.make_sampler(int(rng.integers(2**32)))
            for _ in range(100):
                trial = study.ask()
                try:
                    return Evaluate(suggest(state.space, trial), memory=_memory(study, trial.number))
                except Rejected:  # the study forgets it at the end of this proposal, as every other draw
                    # A sampler may want to stop the study then, which nobody may outside `optimize`.
                    with suppress(RuntimeError):
                        study.tell(trial, state=_optuna().trial.TrialState.FAIL)
        return Evaluate(sample(state.space, rng))

    def learn(self, state: State, trial: Trial) -> State:
        known = dict(state.known)  # `freeze_trial` adds names to it, and a state never changes
        return replace(state, trials=(*state.trials, freeze_trial(state.space, trial, known)), known=known)

    def make_sampler(self, seed: int) -> Any:
        """The sampler. Raises UnknownName for one that Optuna does not have, UsageError for one that has to
        be kept, or for settings that it refuses."""
        samplers = _optuna().samplers
        every = [n for n in samplers.__all__ if n.endswith("Sampler") and not n.startswith("Base")]
        names = [name for name in every if name not in KEPT]
        if self.sampler in KEPT:
            raise UsageError(
                f"strategy 'tpe': {self.sampler} {KEPT[self.sampler]}, and a proposal here depends on the"
                f" trials alone: choose another sampler, one of {', '.join(names)}"
            )
        if self.sampler not in names:
            raise UnknownName("Optuna sampler", self.sampler, names)
        try:
            with _quiet():
                return getattr(samplers, self.sampler)(seed=seed, **self.settings)
        except (TypeError, ValueError) as error:
            raise UsageError(f"strategy 'tpe': {self.sampler} refuses its settings: {error}") from None

    def study(self, state: State, pending: Sequence[Trial]) -> Any:
        """An Optuna study in memory with the trials of `state`, and the pending ones as running."""
        study = _optuna().create_study(direction="maximize", sampler=self.make_sampler(0))
        known = dict(state.known)
        study.add_trials([*state.trials, *(freeze_trial(state.space, trial, known) for trial in pending)])
        return study


def suggest(space: Space, trial: Any) -> Architecture:
    """The architecture that an Optuna trial suggests, for use in an objective of your own. Raises Rejected
    if the space's `pick.require` refuses it, UsageError for a question that the sampler cannot answer. A
    parameter is named by its question's path; if a path is asked with other options than in the study's first
    trial, the options follow in the name."""
    known: Known = {}
    # The earliest trial wins, as in the study itself, which refuses other options under a known name.
    for asked in trial.study.get_trials(deepcopy=False):
        known = {**asked.distributions, **known}

    def ask(path: str, distribution: Any) -> Any:
        try:
            return _suggest(trial, name_parameter(path, distribution, known), distribution)
        except (ImportError, TypeError, ValueError) as error:
            # Not as it is: the ValueError of a user's own text says that an architecture cannot be.
            sampler = type(trial.study.sampler).__name__
            raise UsageError(f"Optuna's {sampler} cannot answer the question {path!r}: {error}") from None

    return space.walk(lambda choice: ask_choice(choice, ask))


def _suggest(trial: Any, name: str, distribution: Any) -> Any:
    if hasattr(distribution, "choices"):
        return trial.suggest_categorical(name, distribution.choices)
    number = trial.suggest_int if isinstance(distribution.low, int) else trial.suggest_float
    return number(name, distribution.low, distribution.high, log=distribution.log)


def freeze_trial(space: Space, trial: Trial, known: Known) -> Any:
    """`trial` as Optuna's frozen trial, in a study whose names are `known`; new names are added to them."""
    optuna = _optuna()
    distributions: dict[str, Any] = {}
    values: dict[str, Any] = {}
    answers = trial.architecture
    space.walk(lambda choice: _record(choice, answers[choice.path], distributions, values, known))
    states = optuna.trial.TrialState
    ended = states.RUNNING if trial.outcome is None else states.PRUNED
    return optuna.trial.create_trial(
        state=ended if trial.value is None else states.COMPLETE,
        value=trial.value,
        params=values,
        distributions=distributions,
        system_attrs=dict(trial.memory.get("optuna", {})),
    )


def ask_choice(choice: Choice, ask: Ask) -> Answer:
    """The answer to one question, asked of Optuna. A subset is asked option by option, as far as the options
    before leave it open."""
    distributions = _optuna().distributions
    if isinstance(choice, Real):
        return float(ask(choice.path, distributions.FloatDistribution(choice.low, choice.high, choice.log)))
    if isinstance(choice, Integer):
        return int(ask(choice.path, distributions.IntDistribution(choice.low, choice.high)))
    if isinstance(choice, OneOf):
        answer: Answer = ask(choice.path, distributions.CategoricalDistribution(choice.options))
        return answer
    yes_or_no = distributions.CategoricalDistribution((False, True))
    chosen: list[Any] = []
    for i, option in enumerate(choice.options):
        # With as many options left as are still needed there is nothing to ask, nor once `most` are chosen.
        forced = len(chosen) + len(choice.options) - i <= choice.least
        if len(chosen) < choice.most and (forced or ask(f"{choice.path}[{option!r}]", yes_or_no)):
            chosen.append(option)
    return tuple(chosen)


def _record(
    choice: Choice, answer: Answer, distributions: dict[str, Any], values: dict[str, Any], known: Known
) -> Answer:
    """Records the distributions and values by which Optuna would have given this answer."""

    def ask(path: str, distribution: Any) -> Any:
        name = name_parameter(path, distribution, known)
        distributions[name] = distribution
        values[name] = answer
        if isinstance(answer, tuple):
            values[name] = path in (f"{choice.path}[{chosen!r}]" for chosen in answer)
        return values[name]

    return ask_choice(choice, ask)


def name_parameter(path: str, distribution: Any, known: Known) -> str:
    """The name of a question's parameter. In Optuna a name must always have the same kind of distribution and
    the same options, while a question's options may depend on earlier answers. 1 and True, which are equal
    to Optuna, are two options."""
    first, options = known.setdefault(path, distribution), getattr(distribution, "choices", None)
    if type(first) is type(distribution) and repr(getattr(first, "choices", None)) == repr(options):
        return path
    if options is None:
        return f"{path} [{distribution.low} to {distribution.high}]"
    return f"{path} [{', '.join(map(repr, options))}]"


def _memory(study: Any, number: int) -> dict[str, Any]:
    """The sampler's attributes of the trial, without its suggestions, which the answers record."""
    written = study.get_trials(deepcopy=False)[number].system_attrs
    kept = {k: v for k, v in written.items() if "relative_params" not in k}
    return {"optuna": kept} if kept else {}


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise MissingExtra("optuna", "optuna", "strategy 'tpe'") from None
    return optuna


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences Optuna's messages: it announces every new study and every new parameter."""
    logging = _optuna().logging
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(before)
