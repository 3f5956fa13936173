"""The promises of every space: sampling, replaying, editing, naming."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from cambrian.architecture import (
    Architecture,
    crossover,
    mutate,
    next_choice,
    questions,
    replay,
    sample,
)
from cambrian.errors import IllegalArchitecture, SpaceError
from cambrian.neighbourhood import neighbours
from cambrian.paths import numbers_of
from cambrian.randomness import stream
from cambrian.registry import Registry
from cambrian.spaces.knowledge import Canonical, know
from cambrian.spaces.space import Space, fingerprint
from cambrian.testing.cases import SAMPLES, SpaceCase
from cambrian.testing.elsewhere import run_elsewhere
from cambrian.testing.suite import Violation, applies, expect


def check_sampling_depends_on_the_seed_alone(case: SpaceCase) -> None:
    """The same generator draws the same architecture, and other generators draw others."""
    again = [sample(case.space, stream(1, "conformance", n)) for n in range(SAMPLES)]
    expect(again == case.samples, "the same seeds drew other architectures the second time")
    expect(len(set(again)) > 1, f"{SAMPLES} seeds all drew the same architecture")


def check_program_depends_on_answers_alone(case: SpaceCase) -> None:
    """Given the same answers the program asks the same questions, in the same order."""
    for architecture in case.samples:
        try:
            asked, again = (questions(case.space, architecture) for _ in range(2))
        # `questions` answers from the architecture: a path that it lacks was not asked the first time.
        except KeyError as path:
            raise Violation(f"a second walk asked {path} too, with the same answers") from None
        expect([c.path for c in asked] == list(architecture), "a second walk asked other questions")
        expect(again == asked, "a walk with the same answers asked otherwise")


def check_numbers_of_paths_are_in_them(case: SpaceCase) -> None:
    """The parts of a path, where a question has them, are the path written piece by piece, its numbers from
    0 on: kinds of questions go by them (see `cambrian.paths`)."""
    for architecture in case.samples:
        for choice in questions(case.space, architecture):
            written = "".join(map(str, choice.parts)) if choice.parts else choice.path
            expect(written == choice.path, f"question {choice.path!r} has the parts {choice.parts}")
            wrong = [n for n in numbers_of(choice.parts) if type(n) is not int or n < 0]
            expect(not wrong, f"question {choice.path!r} has the numbers {wrong}")


def check_replay_gives_a_sample_back(case: SpaceCase) -> None:
    """Strictly replayed, a sample is itself."""
    for architecture in case.samples:
        expect(replay(case.space, architecture) == architecture, f"replaying changed {architecture!r}")


def check_open_questions_are_found_one_by_one(case: SpaceCase) -> None:
    """`next_choice` after the first k answers of a walk is its question k + 1, and nothing at the end."""
    for architecture in case.samples[:5]:
        asked = questions(case.space, architecture)
        for k in range(len(asked) + 1):
            answers = {c.path: architecture[c.path] for c in asked[:k]}
            wanted = asked[k] if k < len(asked) else None
            expect(next_choice(case.space, answers) == wanted, f"question {k + 1} depends on later answers")


def check_superfluous_answers_are_refused(case: SpaceCase) -> None:
    """A strict replay refuses an answer to a question that is not asked, and one that is missing."""
    architecture = case.samples[0]
    for wrong in ({**architecture, "no such question": 1}, dict(list(architecture.items())[1:])):
        try:
            replay(case.space, wrong)
        except IllegalArchitecture:
            continue
        expect(False, f"the space accepts {wrong!r}")


def check_json_round_trip(case: SpaceCase) -> None:
    """An architecture survives JSON, with its key, and is still legal."""
    for architecture in case.samples:
        back = Architecture.from_json(json.loads(json.dumps(architecture.to_json())))
        expect(back == architecture and back.key == architecture.key, f"JSON changed {architecture!r}")
        expect(replay(case.space, back) == architecture, f"from JSON, {architecture!r} is not legal")


def check_neighbours_are_one_answer_away(case: SpaceCase) -> None:
    """Neighbours are legal, distinct, not the architecture itself, and differ from it in one answer and the
    questions that it opens or makes illegal."""
    for n, architecture in enumerate(case.samples[:5]):
        near_ones = neighbours(case.space, architecture, stream(1, "neighbours", n), cap=8)
        expect(len(set(near_ones)) == len(near_ones), f"{architecture!r} has a neighbour twice")
        expect(architecture not in near_ones, f"{architecture!r} is its own neighbour")
        for near in near_ones:
            expect(replay(case.space, near) == near, f"the neighbour {near!r} is not legal")
            expect(_one_answer_away(case.space, architecture, near), f"{near!r} is not near {architecture!r}")


def _one_answer_away(space: Space, centre: Architecture, near: Architecture) -> bool:
    """At most one shared question got another answer although the old one would be legal."""
    changed = [c for c in questions(space, near) if c.path in centre and centre[c.path] != near[c.path]]
    # Changes forced by the one that was chosen do not count: their old answers are illegal by now.
    free = 0
    for choice in changed:
        try:
            choice.check(centre[choice.path])
            free += 1
        except IllegalArchitecture:
            pass
    return bool(changed) and free <= 1


def check_mutation_is_legal_and_different(case: SpaceCase) -> None:
    """A mutant is legal and not its parent; the same seed gives the same mutant."""
    for n, architecture in enumerate(case.samples):
        try:
            mutant = mutate(case.space, architecture, stream(1, "mutate", n))
        except SpaceError:
            applies(len(set(case.samples)) > 1, "a space of one architecture has no mutants")
            raise
        expect(mutant != architecture, f"the mutant of {architecture!r} is itself")
        expect(replay(case.space, mutant) == mutant, f"the mutant {mutant!r} is not legal")
        expect(
            mutant == mutate(case.space, architecture, stream(1, "mutate", n)), "another mutant, same seed"
        )


def check_crossover_is_legal(case: SpaceCase) -> None:
    """A child is legal, and takes each answer from a parent that has a legal one."""
    for n, (one, other) in enumerate(pairwise(case.samples)):
        child = crossover(case.space, one, other, stream(1, "crossover", n))
        expect(replay(case.space, child) == child, f"the child {child!r} is not legal")
        for choice in questions(case.space, child):
            # Where neither parent's answer is legal any more, the child may have one of its own.
            legal = [p[choice.path] for p in (one, other) if choice.path in p and _legal(choice, p)]
            expect(not legal or child[choice.path] in legal, f"{choice.path!r} is from neither parent")


def _legal(choice: Any, parent: Architecture) -> bool:
    try:
        choice.check(parent[choice.path])
    except IllegalArchitecture:
        return False
    return True


def check_settings_are_a_spec(case: SpaceCase) -> None:
    """Written as JSON and made again, the space asks the same questions."""
    spec = Registry("space", {}).spec(case.space)
    applies(spec is not None, "a space without a name lives in this process only")
    again = Registry("space", {}).make(json.loads(json.dumps(spec)))
    expect(fingerprint(again) == fingerprint(case.space), f"made again from {spec} it is another space")


def name_samples(spec: dict[str, Any]) -> list[str]:
    """The names of the samples of the space that a spec describes."""
    return names(SpaceCase(Registry("space", {}).make(spec)))


def names(case: SpaceCase) -> list[str]:
    """The fingerprint, and the keys and canonical texts of the samples."""
    texts = [fingerprint(case.space), *(a.key for a in case.samples)]
    canonical = know(case.space, Canonical)
    if canonical is not None:
        texts += [canonical.canonical(a) for a in case.samples]
    return texts


def check_names_are_the_same_in_every_process(case: SpaceCase) -> None:
    """Fingerprint, keys and canonical texts do not depend on the process, nor on PYTHONHASHSEED."""
    spec = Registry("space", {}).spec(case.space)
    applies(spec is not None, "a space without a name lives in this process only")
    elsewhere = run_elsewhere("cambrian.testing.walks:name_samples", spec)
    expect(elsewhere == names(case), "another process gives architectures other names")


def check_sampling_allocates_no_weights(case: SpaceCase) -> None:
    """No parameter is allocated on a real device while a space is sampled, after the first time, when a
    function of a user's is tried."""
    from torch.nn.modules.module import register_module_parameter_registration_hook

    # torch's own hook sees every registration, however deep in a user's function.
    allocated: list[str] = []

    def note(module: Any, name: str, parameter: Any) -> None:
        if parameter is not None and parameter.device.type != "meta":
            allocated.append(f"{type(module).__name__}.{name}")

    # Before the hook, so that the check does not depend on those that ran before it in the process.
    sample(case.space, stream(1, "conformance"))
    hook = register_module_parameter_registration_hook(note)
    try:
        sample(case.space, stream(2, "conformance"))
    finally:
        hook.remove()
    expect(not allocated, f"sampling allocated weights: {', '.join(allocated[:3])}")


CHECKS = (
    check_sampling_depends_on_the_seed_alone,
    check_program_depends_on_answers_alone,
    check_numbers_of_paths_are_in_them,
    check_replay_gives_a_sample_back,
    check_open_questions_are_found_one_by_one,
    check_superfluous_answers_are_refused,
    check_json_round_trip,
    check_neighbours_are_one_answer_away,
    check_mutation_is_legal_and_different,
    check_crossover_is_legal,
    check_settings_are_a_spec,
    check_names_are_the_same_in_every_process,
    check_sampling_allocates_no_weights,
)
