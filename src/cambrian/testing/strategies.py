"""The suite for strategies: functions of (seed, history), whatever the number of workers."""

from __future__ import annotations

import copy
import json

from cambrian.architecture import replay
from cambrian.codec import encode
from cambrian.errors import StrategyError
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.registry import Registry
from cambrian.spaces.knowledge import know
from cambrian.strategies.strategy import Proposal, Stop, Wait
from cambrian.testing.elsewhere import is_found_elsewhere, run_elsewhere
from cambrian.testing.play import Game, Measure, StrategyCase, fail_all, fail_some, propose_in_parts
from cambrian.testing.snapshot import snapshot
from cambrian.testing.suite import Conformance, NotApplicable, Suite, applies, expect


def check_needs_are_types_the_space_has(case: StrategyCase) -> None:
    """`needs` is a tuple of protocols, and the case's space fulfils them."""
    needs = case.strategy.needs
    expect(isinstance(needs, tuple) and all(isinstance(n, type) for n in needs), f"needs is {needs!r}")
    missing = [n.__name__ for n in needs if know(case.space, n) is None]
    expect(not missing, f"the case's space lacks what the strategy needs: {missing}")


def check_needs_are_declared(case: StrategyCase) -> None:
    """It plays as well on a space without any knowledge beyond the strategy's declared needs."""
    try:
        Game(case, lag=2, space=case.bare).play(case.trials)
    except (NotApplicable, StrategyError):  # which says more than that it is broken
        raise
    except Exception as error:
        declared = [n.__name__ for n in case.strategy.needs]
        expect(False, f"needs more of a space than {declared}: {type(error).__name__}: {error}")


def check_settings_are_a_spec(case: StrategyCase) -> None:
    """Written as JSON and made again, the strategy is equal to itself."""
    spec = Registry("strategy", {}).spec(case.strategy)
    applies(spec is not None, "a strategy without a name lives in this process only")
    again = Registry("strategy", {}).make(json.loads(json.dumps(spec)))
    expect(again == case.strategy, f"made again from {spec} it is another strategy")


def check_proposals_are_legal(case: StrategyCase) -> None:
    """Every proposal is an architecture of the space; there is at least one before it stops."""
    game = case.game
    expect(game.trials, "stops without a proposal")
    for trial in game.trials:
        expect(replay(case.space, trial.architecture) == trial.architecture, "an illegal proposal")


def check_propose_leaves_the_state_alone(case: StrategyCase) -> None:
    """Proposing changes neither the state nor the list of pending trials, down to the last array."""
    game = Game(case, lag=3)
    while len(game.trials) < case.trials and game.stopped is None:
        pending = game.pending()
        before = snapshot((game.state, pending))
        case.strategy.propose(game.state, pending, stream(7, "propose", len(game.trials)))
        expect(snapshot((game.state, pending)) == before, f"proposing trial {len(game.trials)} changes state")
        game.step()


def check_propose_depends_on_its_arguments_alone(case: StrategyCase) -> None:
    """Asked twice with the same state, pending trials and generator, it proposes the same."""
    game = Game(case, lag=3)
    while len(game.trials) < case.trials and game.stopped is None:
        one, other = game.propose(), game.propose()
        expect(
            _text(one) == _text(other), f"trial {len(game.trials)} is proposed differently when asked twice"
        )
        game.step()


def check_learn_leaves_the_old_state_alone(case: StrategyCase) -> None:
    """`learn` gives a new state; the old one stays unchanged, and can be proposed from."""
    game = Game(case)
    while len(game.trials) < case.trials and game.stopped is None:
        game.step()
        old, before = game.state, snapshot(game.state)
        if game.pending():
            game.learn()
        expect(snapshot(old) == before, f"learning trial {game.learned - 1} changes the state it is given")


def check_folding_history_rebuilds_the_state(case: StrategyCase) -> None:
    """A state folded from the history by a fresh copy of the strategy proposes as the old one did."""
    game = case.game
    # Some eight states along the search: its phases differ, and folding anew is quadratic.
    for known in range(0, game.learned + 1, max(1, game.learned // 8)):
        # A copy cannot have kept anything outside of the state, the strategy of the game could.
        fresh = copy.deepcopy(case.strategy)
        states = [_fold(case, fresh, game, known), _fold(case, case.strategy, game, known)]
        rngs = [stream(7, "propose", known) for _ in states]
        texts = [_text(s.propose(state, [], r)) for s, state, r in zip((fresh, case.strategy), states, rngs)]
        expect(texts[0] == texts[1], f"the state after {known} trials is not a function of them")


def check_twenty_and_twenty_are_forty(case: StrategyCase) -> None:
    """Interrupted halfway and resumed from the ledger, it proposes the same as without the interruption."""
    for lag in (1, 4):
        whole = Game(case, lag=lag).play(case.trials)
        half = len(whole.trials) // 2
        first = Game(case, lag=lag).play(half)
        second = Game(
            StrategyCase(
                copy.deepcopy(case.strategy), case.space, fidelity=case.fidelity, measure=case.measure
            ),
            lag=lag,
            history=first.trials,
            learned=first.learned,
        ).play(case.trials)
        for one, other in zip(whole.trials, second.trials):
            expect(_text(one) == _text(other), f"resumed after {half} trials, {one.number} is another")
        expect(len(whole.trials) == len(second.trials), f"resumed it makes {len(second.trials)} trials")


def check_every_process_proposes_the_same(case: StrategyCase) -> None:
    """With the same history another process, in which sets have another order, proposes the same."""
    spec = Registry("strategy", {}).spec(case.strategy)
    space = Registry("space", {}).spec(case.space)
    found = is_found_elsewhere(spec) and is_found_elsewhere(space)
    applies(found, "what another process does not find by its name lives in this process only")
    trials = [case.game.outcome_of(n) for n in range(case.game.learned)]
    facts = [spec, space, *(json.loads(encode(fact)) for fact in (case.fidelity, trials))]
    ours = propose_in_parts(case.strategy, case.space, case.fidelity, trials)
    theirs = run_elsewhere("cambrian.testing.play:propose_elsewhere", facts)
    for (known, one), (_, other) in zip(ours, theirs, strict=True):
        why = f"after {known} trials it proposes {other}, and in this process {one}"
        expect(one == other, f"{why}: go through sets in sorted order")


def check_pending_is_not_proposed_again(case: StrategyCase) -> None:
    """A request that is pending is not proposed again, unless the strategy may repeat itself."""
    applies(not case.repeats, "the strategy may repeat itself")
    game = Game(case, lag=case.trials)
    while len(game.trials) < case.trials and game.stopped is None:
        pending = {_request_of(t) for t in game.pending()}
        before = len(game.trials)
        game.step()
        # The step may have learned some of them, which may then be proposed again.
        still = pending & {_request_of(t) for t in game.trials[game.learned : before]}
        again = len(game.trials) > before and _request_of(game.trials[-1]) in still
        expect(not again, f"trial {before} is pending already")


def check_nothing_is_lost_while_pending(case: StrategyCase) -> None:
    """With many pending it proposes the same, in the same order, as one at a time."""
    applies(case.lag_free, "what this strategy proposes depends on how much it knows")
    alone = Game(case, lag=1).play(case.trials)
    for lag in (2, 5, case.trials):
        many = Game(case, lag=lag).play(case.trials)
        for one, other in zip(alone.trials, many.trials):
            same = one.architecture == other.architecture
            expect(same, f"with {lag} at once, trial {one.number} is another one")
        expect(len(alone.trials) == len(many.trials), f"with {lag} at once, trials are lost")


def check_it_waits_only_for_something(case: StrategyCase) -> None:
    """With nothing pending it proposes or stops, at every point of the search."""
    game = Game(case, lag=1)
    while len(game.trials) < case.trials and game.stopped is None:
        while game.learned < len(game.trials):
            game.learn()
        expect(not isinstance(game.propose(), Wait), f"waits for nothing after {len(game.trials)} trials")
        game.step()


def check_waiting_ends(case: StrategyCase) -> None:
    """It plays on, whatever is pending, until it stops or has made all its trials."""
    for lag in (1, case.trials):
        game = Game(case, lag=lag).play(case.trials)
        expect(len(game.trials) == case.trials or game.stopped, f"stuck after {len(game.trials)} trials")


def check_stopping_is_final(case: StrategyCase) -> None:
    """After Stop it proposes Stop again, with a reason."""
    game = case.game
    applies(game.stopped, "the strategy does not stop so soon")
    while game.learned < len(game.trials):
        game.learn()
    for _ in range(3):
        proposal = game.propose()
        expect(isinstance(proposal, Stop) and proposal.reason, f"after Stop it says {proposal!r}")


def check_failures_are_survived(case: StrategyCase) -> None:
    """Trials that are infeasible or crash are learned like others, and the search goes on."""
    _survives(case, fail_some)


def check_nothing_but_failures_is_survived(case: StrategyCase) -> None:
    """It does not break down where every single trial fails; it may stop."""
    _survives(case, fail_all)


def check_parents_come_first(case: StrategyCase) -> None:
    """`parent` is the number of an earlier trial."""
    for trial in case.game.trials:
        ok = trial.parent is None or 0 <= trial.parent < trial.number
        expect(ok, f"trial {trial.number} descends from {trial.parent}")


def check_notes_are_plain(case: StrategyCase) -> None:
    """Reasons and memory are JSON with finite numbers, and the same after a round trip."""
    for proposal in case.game.proposals:
        for name in ("reason", "memory"):
            note = {} if isinstance(proposal, Stop) else getattr(proposal, name, {})
            text = json.dumps(json.loads(encode(note)), allow_nan=False)
            # `allow_nan=False`: NaN and infinity are not JSON, though Python writes them.
            plain = json.loads(text) == json.loads(json.dumps(note, default=float))
            expect(plain, f"{name} {note!r} is not plain")


def _survives(case: StrategyCase, measure: Measure) -> None:
    # Serially and with others pending: a failure may come before or after the trials it was drawn with.
    for lag in (1, 4):
        try:
            game = Game(case, lag=lag, measure=measure).play(case.trials)
        except (NotApplicable, StrategyError):
            raise
        except Exception as error:
            expect(False, f"broken by a failed trial: {type(error).__name__}: {error}")
        expect(len(game.trials) > 0, "stops before the first trial")


def _fold(case: StrategyCase, strategy: object, game: Game, known: int) -> object:
    state = strategy.start(Problem(case.space, fidelity=case.fidelity, seed=7))  # type: ignore[attr-defined]
    for number in range(known):
        state = strategy.learn(state, game.outcome_of(number))  # type: ignore[attr-defined]
    return state


def _request_of(trial: Trial) -> tuple[str, bytes, int]:
    return trial.architecture.key, encode(trial.fidelity), trial.replicate


def _text(value: Proposal | Trial) -> tuple[str, bytes]:
    """A proposal or trial for comparison: as text, NaN in a note equals itself."""
    return type(value).__name__, encode(value)


STRATEGY = Suite[StrategyCase](
    "strategy",
    (
        check_needs_are_types_the_space_has,
        check_needs_are_declared,
        check_settings_are_a_spec,
        check_proposals_are_legal,
        check_propose_leaves_the_state_alone,
        check_propose_depends_on_its_arguments_alone,
        check_learn_leaves_the_old_state_alone,
        check_folding_history_rebuilds_the_state,
        check_twenty_and_twenty_are_forty,
        check_every_process_proposes_the_same,
        check_pending_is_not_proposed_again,
        check_nothing_is_lost_while_pending,
        check_it_waits_only_for_something,
        check_waiting_ends,
        check_stopping_is_final,
        check_failures_are_survived,
        check_nothing_but_failures_is_survived,
        check_parents_come_first,
        check_notes_are_plain,
    ),
)


class StrategySuite(Conformance):
    """Subclass it in a test file and define `case(self) -> StrategyCase`."""

    suite = STRATEGY
