"""Components from names, names from components, and the components that a search takes by default."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from inspect import isroutine
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.effort import find_axis
from cambrian.errors import UnknownName, UsageError
from cambrian.estimators.estimator import SERVES
from cambrian.registry import METHODS, name_of
from cambrian.search.loop.order import ORDERS
from cambrian.spaces.knowledge import Encodes, Grows, know
from cambrian.spaces.space import Space
from cambrian.weights import Continue

if TYPE_CHECKING:
    from cambrian.outcome import Fidelity
    from cambrian.search.planning.budget import Budget

FEW = 300
"""Trials up to which Bayesian optimisation is the usual strategy: measured in RESULTS.md."""


def registry(kind: str) -> Any:
    """The registry of spaces, strategies or estimators."""
    # Imported late: who reads only a run's settings does not import three rooms.
    from cambrian.estimators import ESTIMATORS
    from cambrian.spaces import SPACES
    from cambrian.strategies import STRATEGIES

    return {"space": SPACES, "strategy": STRATEGIES, "estimator": ESTIMATORS}[kind]


def component(kind: str, given: Any) -> Any:
    """The space, strategy or estimator of that name or description; an object as it is, a plain function as
    an estimator. Raises UnknownName, UsageError."""
    if isinstance(given, str | Mapping):
        return _component_named(kind, given)
    if kind == "space":
        _check_space(given)
    if kind == "strategy":
        _check_strategy(given)
    if kind != "estimator":
        return given
    # An estimator may be callable too: `run` tells it from a function.
    if callable(given) and not isinstance(given, type) and not hasattr(given, "run"):
        from cambrian.estimators.function import Function

        return Function(given)
    _check_estimator(given)
    return given


def _component_named(kind: str, given: str | Mapping[str, Any]) -> Any:
    """The component of that name or description; also a function at `module:function`, or a measure, as an
    estimator."""
    if kind == "estimator" and isinstance(given, str) and ":" not in given:
        given = _spec_measure(given)
    # A text with settings is never a function's.
    named = given if kind == "estimator" and isinstance(given, str) and "(" not in given else None
    if named is not None and isroutine(registry(kind).get(named)):
        from cambrian.estimators.function import Function

        function = Function(named)
        function.prepare()  # refuses a function with other arguments
        return function
    return registry(kind).make(given)


def _spec_measure(text: str) -> str | Mapping[str, Any]:
    """The spec of the estimator whose value is the measure `text`, as `zen(repeats=4)`; any other estimator's
    name as it is. Raises UnknownName for a text that is neither."""
    from cambrian.networks.measure import MEASURES

    name = text.partition("(")[0].strip()
    if name in MEASURES.names():
        return {"name": "proxy", "arguments": {"measure": text}}
    if name not in registry("estimator").names():
        raise UnknownName("estimator", name, [*registry("estimator").names(), *MEASURES.names()])
    return text


def _check_space(given: Any) -> None:
    """Raise UsageError for an object that is not a space, with the likely mistake: a class, a function."""
    name = getattr(given, "__name__", type(given).__name__)
    if isinstance(given, type):
        mend = f"give {name}(...)"
        if _is_module(given):
            mend = f"write a function (pick, task) that returns {name}(...), and @cambrian.space above it"
        raise UsageError(f"a space is an object, got the class {name}: {mend}")
    if not (callable(getattr(given, "walk", None)) and callable(getattr(given, "build", None))):
        mend = ": write @cambrian.space above it" if isroutine(given) else ""
        if _is_module(given):
            mend = ": cambrian.from_model(...) makes a space of it"
        raise UsageError(f"a space asks questions and builds networks, got {name}, which is none{mend}")


def _is_module(given: Any) -> bool:
    """Whether it is a torch module or a class of them; without torch in the process it cannot be one."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    return issubclass(given if isinstance(given, type) else type(given), torch.nn.Module)


def _check_strategy(given: Any) -> None:
    """Raise UsageError for an object that is not a strategy."""
    name = getattr(given, "__name__", type(given).__name__)
    if isinstance(given, type):
        raise UsageError(f"a strategy is an object, got the class {name}: give {name}(...)")
    lacking = [m for m in METHODS["strategy"] if not callable(getattr(given, m, None))]
    if lacking:
        raise UsageError(
            f"a strategy has the methods {', '.join(METHODS['strategy'])}, and {name} lacks"
            f" {', '.join(lacking)}: give a name such as 'evolution', or an object like those of"
            f" cambrian.strategies"
        )


def _check_estimator(given: Any) -> None:
    """Raise UsageError for an object that is not an estimator."""
    if isinstance(given, type):
        name = given.__name__
        raise UsageError(f"an estimator is an object, got the class {name}: give {name}(...)")
    if not callable(getattr(given, "run", None)):
        # Its method before there were jobs, whose arguments they hold now.
        older = hasattr(given, "estimate")
        mend = (
            ": write run(job) for estimate(...), with job.space, job.architecture, job.task" if older else ""
        )
        raise UsageError(f"an estimator has a method run(job), which {type(given).__name__} lacks{mend}")


def space_for(given: Any, task: Any) -> Space:
    """The space of that name or description, fitted to the task's images, where there is a task. Raises
    UsageError where its networks do not have the answers that the task asks for."""
    fitted = fit_space(given, task)
    _check_dense(fitted, task)
    _check_causal(fitted, task)
    return fitted


def fit_space(given: Any, task: Any) -> Space:
    """The same of a run that was begun, whatever answers its networks have."""
    space: Any = component("space", given)
    fit = getattr(space, "for_task", None)  # a user's own space need not have it
    fitted: Space = space if fit is None or task is None else fit(task)
    return fitted


def _check_dense(space: Space, task: Any) -> None:
    """Raise UsageError for a space of ours whose networks do not have an answer for each pixel."""
    from cambrian.spaces.drafts import is_own

    if getattr(task, "dense", False) and not getattr(space, "fine", False) and not is_own(space):
        raise UsageError(
            f"the data have a class for each pixel, and the networks of the space {name_of(space)} one answer"
            " for an image: leave the space out, or name encoder-decoder, fabric, or a function of yours, for"
            " which task.dense is true"
        )


def _check_causal(space: Space, task: Any) -> None:
    """Raise UsageError for a space of ours whose networks do not have an answer after each character."""
    from cambrian.spaces.drafts import is_own

    if getattr(task, "causal", False) and not getattr(space, "causal", False) and not is_own(space):
        raise UsageError(
            "the data are a text whose next character is learned, and the networks of the space"
            f" {name_of(space)} read it as a whole: leave the space out, or name sequence-chain, darts-rnn,"
            " nascell, autoformer, or a function of yours, for which task.causal is true"
        )


SEVERAL = "nsga2"
"""The strategy of a planned search with several objectives that names none."""


def usual(space: Space, trials: int | None, climbs: bool = False) -> str:
    """The strategy of a search that names none; `climbs` says that its budget is one of epochs, on a table
    with shorter trainings (see `climbs_table`)."""
    if climbs:
        return "bayes-asha"
    grows = know(space, Grows) is not None and know(space, Encodes) is not None
    return "progressive" if grows and (trials is None or trials > FEW) else "bayes"


def climbs_table(budget: Budget, estimator: Any, fidelity: Fidelity | None) -> bool:
    """Whether the budget is one of epochs, and the estimator looks up shorter trainings too, and those that
    go on from them: of epochs that it names one by one."""
    if budget.most_epochs is None or budget.trials is not None or fidelity is None:
        return False
    if Continue not in getattr(estimator, "serves", SERVES):
        return False
    axis = find_axis(getattr(estimator, "axes", ()), "epochs")
    return axis is not None and any(epochs < fidelity.epochs for epochs in axis.values)


def spec_of(kind: str, component: Any) -> dict[str, Any] | None:
    """The name and the arguments from which another process makes the component; None where it has no
    name."""
    spec: dict[str, Any] | None = registry(kind).spec(component)
    return spec


def name_estimators(first: Any, others: Mapping[str, Any]) -> dict[str, Any]:
    """All estimators of a run by name, "" the first."""
    return {"": first, **{name: component("estimator", spec) for name, spec in others.items()}}


def specs_of(estimators: Mapping[str, Any]) -> dict[str, dict[str, Any] | None]:
    """The specs of a run's estimators by their names in it."""
    return {name: spec_of("estimator", each) for name, each in estimators.items()}


def identity_of(component: Any) -> str:
    """The identity of a component that has no name: its type, and of a function the code."""
    function: Any = getattr(component, "function", None)
    code = getattr(function, "__code__", None)
    if code is None:
        return type(component).__qualname__
    # Constants that are code have an address in their repr, which each process changes.
    text = repr((code.co_code, code.co_names, [c for c in code.co_consts if not hasattr(c, "co_code")]))
    return f"{function.__qualname__} {zlib.crc32(text.encode()):08x}"


def task_of(given: Any) -> Any:
    """A task made by hand gets the digest that `load` gives, so that other data are noticed."""
    if given is None:
        return None
    from cambrian.tasks import load
    from cambrian.tasks.statistics import digest
    from cambrian.tasks.task import Task

    if not isinstance(given, Task):
        return load(given)
    return given if given.digest else replace(given, digest=digest(given))


def find_published(space: Space) -> dict[str, Architecture]:
    """The published architectures that this space holds, by name."""
    from cambrian.spaces.published import find_published_in

    return find_published_in(space)


def check_baselines(baselines: Sequence[str], space: Space) -> None:
    """Raises UnknownName for a name of no network at all; a network that the `space` does not hold is left
    out of the final stage."""
    from cambrian.spaces.published import names

    unknown = [name for name in baselines if name not in ("random", *names())]
    own = find_published(space) if unknown else {}  # such as those that a space begins with
    for name in unknown:
        if name not in own:
            raise UnknownName("baseline", name, dict.fromkeys(["random", *names(), *own]))


def read_order(order: str) -> str:
    """The order. Raises UnknownName for one that does not exist."""
    if order not in ORDERS:
        raise UnknownName("order", order, ORDERS)
    return order
