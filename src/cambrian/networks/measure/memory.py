"""How much memory a network takes at its peak: weights, the batch, and the results alive at one time."""

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

from cambrian.networks.measure.dry_run import in_mode, shapes_alone
from cambrian.networks.tensor_copies import copied, tensor_copies
from cambrian.settings import COUNT, check_settings


class LiveBytes(TorchDispatchMode):
    """Inside, `peak` is the most bytes that were alive at one time: of the tensors it was told to `hold`, and
    of every result from when an operation gives it until nothing refers to it. Views count once. An
    operation's own scratch memory is not seen."""

    def __init__(self, tensors: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._live: dict[int, tuple[Any, int]] = {}
        self.peak = 0
        self.hold(tensors)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        # Besides the normalised images, torch's meta kernel makes statistics, which in evaluation the real
        # ones do without.
        stateless = func is torch.ops.aten.native_batch_norm.default and not args[5]
        self.hold(tree_leaves(result[:1] if stateless else result))
        return result

    def hold(self, values: Iterable[Any]) -> None:
        """Count the tensors among `values`, and no longer those that are gone."""
        self._live = {key: entry for key, entry in self._live.items() if not entry[0].expired()}
        for storage in (value.untyped_storage() for value in values if isinstance(value, Tensor)):
            reference = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
            self._live.setdefault(storage._cdata, (reference, storage.nbytes()))
        self.peak = max(self.peak, sum(count for _, count in self._live.values()))


@dataclass(frozen=True)
class Memory:
    """Peak bytes of a forward of `images` images in evaluation mode: weights, buffers, the images, and the
    results that are alive at one time. On CPU they are counted without building any, and the scratch
    memory of kernels is left out; on CUDA they are what torch's allocator says, scratch memory included."""

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
                return _allocated(lambda: network(batch), [*_tensors(network), batch], device)
        with shapes_alone(), in_mode(network, training=False), tensor_copies(network, "meta"):
            images = torch.empty(batch.shape, device="meta")
            with torch.no_grad(), LiveBytes([*_tensors(network), images]) as live:
                network(images)
        return float(live.peak)


@dataclass(frozen=True)
class TrainingMemory:
    """Peak bytes of a training step on `images` images: as `Memory`, with the results kept for the backward
    pass and the gradients; without what the optimiser remembers (momentum takes the weights once more)."""

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
        learner = copied(network).train()  # its gradients and running statistics are its own
        targets = torch.zeros(len(batch), dtype=torch.int64, device=batch.device)

        def step() -> None:
            output = learner(batch)
            heads = output if isinstance(output, tuple) else (output,)
            torch.autograd.backward([F.cross_entropy(logits, targets) for logits in heads])
            learner.zero_grad(set_to_none=True)  # so that a second step begins as the first did

        held = [*_tensors(learner), batch, targets]
        with torch.enable_grad(), torch.random.fork_rng():  # dropout draws
            if device.startswith("cuda"):
                return _allocated(step, held, device)
            with LiveBytes(held) as live:
                step()
        return float(live.peak)


def _allocated(run: Callable[[], object], held: list[Tensor], device: str) -> float:
    """Bytes of `held`, and the most that a second `run` takes of torch's CUDA allocator beyond what was
    taken before: the first makes what libraries keep from then on."""
    run()
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()
    torch.cuda.synchronize(device)
    own = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in held}
    return float(sum(own.values()) + torch.cuda.max_memory_allocated(device) - before)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _images(count: int) -> str:
    return f"{count} image{'s' if count > 1 else ''}"


def _source(device: str) -> str:
    return f"by the allocator of {device}" if device.startswith("cuda") else "by the tensors alive"
