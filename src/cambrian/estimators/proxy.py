"""A measure of the untrained network as its value: zero-cost proxies (Mellor et al. 2021; Abdelfattah et al.
2021)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cambrian.errors import UsageError
from cambrian.estimators.build import Built, build_measured, signature
from cambrian.estimators.estimator import Estimate, Job
from cambrian.estimators.training_data import training_images
from cambrian.networks.measure.measure import find_measure
from cambrian.networks.measure.undefined import Undefined
from cambrian.outcome import Done, Infeasible
from cambrian.randomness import stream

if TYPE_CHECKING:
    from cambrian.networks.measure.zero_cost.proxy import Batch
    from cambrian.tasks.task import Task


@dataclass(frozen=True)
class Proxy:
    """Builds the network and takes a `measure` of it, such as "synflow" or "zen(repeats=4)". Higher counts as
    better, also for sizes (`params`, `macs`, `layers`): these are the baselines of proxies. Proxies read
    labelled images of the training part, the same for all networks of a search. A network for which the
    number is not defined ends as Infeasible("nan")."""

    measure: str = "synflow"
    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = True
    delivers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        find_measure(self.measure)  # a wrong name is refused now, not in the first trial

    def prepare(self) -> None:
        import torch  # noqa: F401

    def run(self, job: Job) -> Estimate:
        started = time.perf_counter()
        if job.task is None:
            raise UsageError("a proxy needs a task: it says the network's shape, and proxies read its images")
        built = build_measured(job)
        if isinstance(built, Infeasible):
            return built
        try:
            value = self._score(job, job.task, built)
        except Undefined as error:
            return Infeasible("nan", str(error), seconds=time.perf_counter() - started, metrics=built.metrics)
        return Done(value, built.metrics, seconds=time.perf_counter() - started)
        yield  # an estimate is a generator, and this one has no points

    def _score(self, job: Job, task: Task, built: Built) -> float:
        from cambrian.networks.measure.measure_network import take_measure
        from cambrian.networks.measure.zero_cost.proxy import Proxy as ZeroCost

        proxy = find_measure(self.measure)
        if isinstance(proxy, ZeroCost):
            return proxy.measure_labelled(built.network.to(job.device), draw_batch(job, task, proxy.images))
        seen = signature(task, job.fidelity)
        shape = (seen.channels, seen.height, seen.width)
        return take_measure(self.measure, built.network, shape, job.device)[self.measure]


def draw_batch(job: Job, task: Task, count: int) -> Batch:
    """The first `count` images of the training part in a drawn order, or all of fewer; the same ones for all
    architectures of a run."""
    import torch

    from cambrian.networks.measure.zero_cost.proxy import Batch

    images = training_images(task, job.fidelity, "search", job.seed, job.device)
    drawn = torch.from_numpy(stream(job.seed, "proxy").permutation(len(images))[:count]).to(job.device)
    inputs = images.inputs(images.pixels[drawn]).contiguous()
    return Batch(inputs, images.targets[drawn], images.goal)
