"""Optuna's samplers as strategies, and any space as an Optuna study: by default the tree-structured Parzen
estimator (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011).

A space asks questions while it runs, and so does an Optuna objective ("define by run"): one is the
other, question by question. Needs `pip install 'cambrian[optuna]'`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
"""The distributions that names were first asked with in a study."""


@dataclass(frozen=True)
class State:
    """What is learned, as Optuna remembers it, and the names in it."""

    space: Any
    trials: tuple[Any, ...] = ()
    known: Known = field(default_factory=dict)


@dataclass(frozen=True)
class TPE:
    """`sampler` names a class of `optuna.samplers`, `settings` are its arguments. The study is told anew
    for every proposal and the sampler seeded by it, so that a proposal is a function of what is known; what
    a sampler wrote on a trial is kept in its memory, what it wrote on the study (NSGA-II's parents) it finds
    anew. What failed counts as pruned, what is pending as running."""

    sampler: str = "TPESampler"
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: ClassVar[tuple[type, ...]] = ()

    def start(self, problem: Problem) -> State:
        self.make_sampler(0)  # a wrong name or setting is told before anything runs
        return State(problem.space)

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        with _quiet():
            study = self.study(state, pending)
            study.sampler = self.make_sampler(int(rng.integers(2**32)))
            for _ in range(100):
                trial = study.ask()
                try:
                    return Evaluate(suggest(state.space, trial), memory=_memory(study, trial.number))
                except Rejected:
                    study.tell(trial, state=_optuna().trial.TrialState.FAIL)
        return Evaluate(sample(state.space, rng))

    def learn(self, state: State, trial: Trial) -> State:
        known = dict(state.known)
        return replace(state, trials=(*state.trials, freeze_trial(state.space, trial, known)), known=known)

    def make_sampler(self, seed: int) -> Any:
        """The sampler. Raises UnknownName or UsageError for one that Optuna has not."""
        samplers = _optuna().samplers
        names = [name for name in samplers.__all__ if name.endswith("Sampler") and name != "BaseSampler"]
        if self.sampler not in names:
            raise UnknownName("Optuna sampler", self.sampler, names)
        try:
            with _quiet():
                return getattr(samplers, self.sampler)(seed=seed, **self.settings)
        except (TypeError, ValueError) as error:
            raise UsageError(f"strategy 'tpe': {self.sampler} refuses its settings: {error}") from None

    def study(self, state: State, pending: Sequence[Trial]) -> Any:
        """An Optuna study in memory that knows what `state` knows; what is pending is running."""
        study = _optuna().create_study(direction="maximize", sampler=self.make_sampler(0))
        known = dict(state.known)
        study.add_trials([*state.trials, *(freeze_trial(state.space, trial, known) for trial in pending)])
        return study


def suggest(space: Space, trial: Any) -> Architecture:
    """The architecture that an Optuna trial suggests: call it in an objective of your own. Raises Rejected
    where the space's `pick.require` says no. A parameter is named by its question's path; where other options
    are asked for under a path than the study's first trial had there, they follow in its name."""
    known: Known = {}
    for asked in trial.study.get_trials(deepcopy=False):
        known = {**asked.distributions, **known}

    def ask(path: str, distribution: Any) -> Any:
        name = _name(path, distribution, known)
        if hasattr(distribution, "choices"):
            return trial.suggest_categorical(name, distribution.choices)
        number = trial.suggest_int if isinstance(distribution.low, int) else trial.suggest_float
        return number(name, distribution.low, distribution.high, log=distribution.log)

    return space.walk(lambda choice: _answer(choice, ask))


def freeze_trial(space: Space, trial: Trial, known: Known) -> Any:
    """`trial` as Optuna remembers it, in a study that has `known` names already, to which it adds."""
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


def _answer(choice: Choice, ask: Ask) -> Answer:
    """One question, asked of Optuna. A subset is asked option by option, as far as it is still open."""
    distributions = _optuna().distributions
    if isinstance(choice, Real):
        return float(ask(choice.path, distributions.FloatDistribution(choice.low, choice.high, choice.log)))
    if isinstance(choice, Integer):
        return int(ask(choice.path, distributions.IntDistribution(choice.low, choice.high)))
    if isinstance(choice, OneOf):
        found: Answer = ask(choice.path, distributions.CategoricalDistribution(choice.options))
        return found
    yes_or_no = distributions.CategoricalDistribution((False, True))
    chosen: list[Any] = []
    for i, option in enumerate(choice.options):
        forced = len(chosen) + len(choice.options) - i <= choice.least
        if len(chosen) < choice.most and (forced or ask(f"{choice.path}[{option!r}]", yes_or_no)):
            chosen.append(option)
    return tuple(chosen)


def _record(
    choice: Choice, answer: Answer, distributions: dict[str, Any], values: dict[str, Any], known: Known
) -> Answer:
    """What would have been asked of Optuna, had it given this answer."""

    def ask(path: str, distribution: Any) -> Any:
        name = _name(path, distribution, known)
        distributions[name] = distribution
        values[name] = answer
        if isinstance(answer, tuple):
            values[name] = path in (f"{choice.path}[{chosen!r}]" for chosen in answer)
        return values[name]

    return _answer(choice, ask)


def _name(path: str, distribution: Any, known: Known) -> str:
    """Optuna wants one kind of question and the same options under a name always; a question's may depend
    on earlier answers. 1 and True, which are equal to Optuna, are two options."""
    first, options = known.setdefault(path, distribution), getattr(distribution, "choices", None)
    if type(first) is type(distribution) and repr(getattr(first, "choices", None)) == repr(options):
        return path
    if options is None:
        return f"{path} [{distribution.low} to {distribution.high}]"
    return f"{path} [{', '.join(map(repr, options))}]"


def _memory(study: Any, number: int) -> dict[str, Any]:
    """What the sampler wrote on the trial, except for what it suggested anyway."""
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
    """Optuna announces every study it makes, and every question it has not met before."""
    logging = _optuna().logging
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(before)
