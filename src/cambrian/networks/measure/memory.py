"""The peak memory of a network: weights, the batch, and the results that are alive at one time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cambrian.networks.heads import spread_targets
from cambrian.networks.measure.dry_run import in_mode, shapes_alone
from cambrian.networks.tensor_copies import copy_network, tensor_copies
from cambrian.settings import COUNT, check_settings


class LiveBytes(TorchDispatchMode):
    """Counts, inside the context, the bytes of live tensors; `peak` is their maximum. A tensor passed to
    `hold` and the result of every operation count until nothing refers to them. Views count once. The scratch
    memory of an operation is not counted."""

    def __init__(self, tensors: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # Of storages that may be freed since: to look at all of them after every operation takes too long.
        self._live: dict[int, tuple[Any, int]] = {}
        self._bytes = self.peak = 0
        self.hold(tensors)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        # torch's meta kernel also returns statistics, which the real kernels do not allocate in evaluation
        # mode; args[5] is its argument `training`.
        stateless = func is torch.ops.aten.native_batch_norm.default and not args[5]
        self.hold(tree_leaves(result[:1] if stateless else result))
        return result

    def hold(self, values: Iterable[Any]) -> None:
        """Count the tensors among `values` from now on, and stop counting those that were freed."""
        for storage in (value.untyped_storage() for value in values if isinstance(value, Tensor)):
            if storage._cdata not in self._live:
                # A weak reference, since a strong one would keep alive the very memory that is counted.
                reference = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
                self._live[storage._cdata] = reference, storage.nbytes()
                self._bytes += storage.nbytes()
        if self._bytes > self.peak:  # else there is no new peak, whatever was freed
            self._live = {key: entry for key, entry in self._live.items() if not entry[0].expired()}
            self._bytes = sum(count for _, count in self._live.values())
            self.peak = max(self.peak, self._bytes)


@dataclass(frozen=True)
class Memory:
    """Peak bytes of a forward of `images` images in evaluation mode: weights, buffers, the images, and the
    results that are alive at one time. On CPU the bytes are counted without allocating them, and the scratch
    memory of kernels is left out; on CUDA torch's allocator reports them, scratch memory included."""

    images: Annotated[int, COUNT] = 1

    unit: ClassVar[str] = "B"
    noisy: ClassVar[bool] = False
    reads_batch: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_settings(self, "memory")

    def needs_weights(self, device: str) -> bool:
        return device.startswith("cuda")

    def protocol(self, device: str) -> str:
        return f"peak of a forward of {_images(self.images)}, {_source(device)}"

    def __call__(self, network: nn.Module, batch: Tensor, device: str) -> float:
        if self.needs_weights(device):
            with in_mode(network, training=False), torch.no_grad():
                return _measure_allocation(lambda: network(batch), [*_tensors(network), batch], device)
        with shapes_alone(), in_mode(network, training=False), tensor_copies(network, "meta"):
            images = torch.empty(batch.shape, device="meta")
            with torch.no_grad(), LiveBytes([*_tensors(network), images]) as live:
                network(images)
        return float(live.peak)


@dataclass(frozen=True)
class TrainingMemory:
    """Peak bytes of a training step on `images` images: as `Memory`, plus the gradients and the results kept
    for the backward pass, without the state of the optimiser (momentum would add the weights once more)."""

    images: Annotated[int, COUNT] = 64

    unit: ClassVar[str] = "B"
    noisy: ClassVar[bool] = False
    reads_batch: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_settings(self, "training_memory")

    def needs_weights(self, device: str) -> bool:
        return True

    def protocol(self, device: str) -> str:
        return f"peak of a training step on {_images(self.images)}, {_source(device)}"

    def __call__(self, network: nn.Module, batch: Tensor, device: str) -> float:
        learner = copy_network(network).train()  # its gradients and running statistics are its own
        targets = torch.zeros(len(batch), dtype=torch.int64, device=batch.device)

        def step() -> None:
            output = learner(batch)
            heads = output if isinstance(output, tuple) else (output,)
            # All heads: in training the auxiliary ones take memory too.
            torch.autograd.backward([F.cross_entropy(x, spread_targets(targets, x)) for x in heads])
            learner.zero_grad(set_to_none=True)  # so that a second step begins as the first did

        tensors = [*_tensors(learner), batch, targets]
        with torch.enable_grad(), torch.random.fork_rng():  # dropout draws
            if device.startswith("cuda"):
                return _measure_allocation(step, tensors, device)
            with LiveBytes(tensors) as live:
                step()
        return float(live.peak)


def _measure_allocation(run: Callable[[], object], tensors: list[Tensor], device: str) -> float:
    """The bytes of `tensors`, plus the peak of torch's CUDA allocator during `run` above the level before."""
    # The first run is not measured: libraries allocate workspaces in it that they keep.
    run()
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()
    torch.cuda.synchronize(device)
    # By storage, so that views and tied weights count once.
    own = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in tensors}
    return float(sum(own.values()) + torch.cuda.max_memory_allocated(device) - before)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _images(count: int) -> str:
    return f"{count} image{'s' if count > 1 else ''}"


def _source(device: str) -> str:
    return f"by the allocator of {device}" if device.startswith("cuda") else "by the tensors alive"
