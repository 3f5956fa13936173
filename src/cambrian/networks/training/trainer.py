"""The training of one network: steps, epochs, scores, and a state from which it goes on bit for bit.

Whatever is random in it is a function of (seed, trial, epoch, step), never of what was drawn before.
On CPU with the same number of threads a training that is resumed therefore ends with the same weights;
on CUDA some of cuDNN's and torch's kernels add in an order that varies, and equality is to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.networks.heads import first_head
from cambrian.networks.pointwise import memory_format
from cambrian.networks.skeletons.cell_network import set_drop_path
from cambrian.networks.training.augment import Augment, Draws, cut_out, draw, pad, windows
from cambrian.networks.training.batches import Images
from cambrian.networks.training.recipe import Recipe
from cambrian.randomness import integer_seed, stream

CHECK_STEPS = 5
"""Steps between two looks at the loss: a look makes a GPU wait."""


class Training:
    """`network`, on the images' device, trained on `images` for `epochs` epochs. `epoch` and `step` say
    where it stands: epochs done, and steps done of the present one. `length` is how many steps it has in
    all, which `shorten` makes fewer."""

    def __init__(
        self,
        network: nn.Module,
        images: Images,
        recipe: Recipe,
        augment: Augment,
        epochs: int,
        seed: int = 0,
        trial: int = 0,
    ) -> None:
        self.network = network
        self.recipe, self.epochs = recipe, epochs
        self.epoch = self.step = 0
        self._images, self._augment = images, augment
        self._padded = pad(images.pixels, augment.crop)
        self._format = memory_format(network)
        self._steps = recipe.batches(len(images))
        self.length = epochs * self._steps
        self._total = torch.zeros((), device=images.pixels.device)  # the sum of this epoch's losses
        self._name = (seed, trial)
        self._drop_path = recipe.drop_path or float(getattr(network, "drop_path", 0.0))
        self._parameters = [p for p in network.parameters() if p.requires_grad]
        self._optimiser = _optimiser(self._parameters, recipe)

    @property
    def steps_done(self) -> int:
        return self.epoch * self._steps + self.step

    @property
    def batch(self) -> float:
        """Images in a step."""
        return len(self._images) / self._steps

    @property
    def finished(self) -> bool:
        return self.steps_done >= self.length

    @property
    def epochs_trained(self) -> float:
        """Of a finished training, by its steps: less than `epochs` where it was shortened."""
        return self.length / self._steps

    def shorten(self, steps: int) -> None:
        """End after so many steps in all; the schedule goes on from where it is and reaches its end there."""
        self.length = max(min(steps, self.length), self.steps_done, 1)

    def run_epoch(self, after_step: Callable[[], None] = lambda: None) -> float:
        """Train to the end of the present epoch; `after_step` is called between its steps. Returns the
        mean loss over the epoch, or NaN at once, within CHECK_STEPS steps, when a loss was not finite."""
        draws = self._draws()
        self.network.train()
        with _own_randomness(self._padded.device):
            while self.step < self._steps and not self.finished:
                self._take_step(draws)
                self.step += 1
                if self.step % CHECK_STEPS == 0 and not math.isfinite(self._total.item()):
                    return math.nan
                if self.step < self._steps and not self.finished:
                    after_step()
        mean = self._total.item() / self.step
        self.epoch, self.step = self.epoch + 1, 0
        self._total.zero_()
        return mean if math.isfinite(mean) else math.nan

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that the rest of the training depends on: tensors by name, and the place as JSON."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        for i, parameter in enumerate(self._parameters):
            for name, value in self._optimiser.state[parameter].items():
                tensors[f"optimiser.{i}.{name}"] = value
        tensors["total"] = self._total
        return tensors, {"epoch": self.epoch, "step": self.step, "length": self.length}

    def restore(self, tensors: dict[str, Tensor], place: dict[str, Any]) -> None:
        """Go on from what `state` gave. Every tensor is copied into the layout it had: fused kernels
        walk through memory and take a parameter's layout for granted."""
        weights = {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
        self.network.load_state_dict(weights)
        for key, value in tensors.items():
            if key.startswith("optimiser."):
                _, i, name = key.split(".", 2)
                parameter = self._parameters[int(i)]
                like = parameter.detach() if value.shape == parameter.shape else value.to(parameter.device)
                self._optimiser.state[parameter][name] = torch.empty_like(like, dtype=value.dtype).copy_(
                    value
                )
        self._total.copy_(tensors["total"])
        self.epoch, self.step = int(place["epoch"]), int(place["step"])
        self.length = int(place.get("length", self.length))

    def _draws(self) -> Draws:
        rng = stream(self._name[0], "trial", self._name[1], "epoch", self.epoch)
        draws = draw(self._augment, len(self._images), self._images.side, rng)
        device = self._padded.device
        return Draws(*(t.to(device) for t in (draws.order, draws.corner, draws.mirrored, draws.hole)))

    def _take_step(self, draws: Draws) -> None:
        done, steps = self.steps_done, self.length
        for group in self._optimiser.param_groups:
            group["lr"] = self.recipe.rate(done, steps)
        if self._drop_path:
            set_drop_path(self.network, self._drop_path * done / steps)
        _seed(self._padded.device, integer_seed(self._name[0], "trial", self._name[1], "step", done))
        loss = self._loss(*self._batch(draws))
        torch.autograd.backward(loss)
        if self.recipe.gradient_clip:
            nn.utils.clip_grad_norm_(self._parameters, self.recipe.gradient_clip)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self._total += loss.detach()

    def _batch(self, draws: Draws) -> tuple[Tensor, Tensor]:
        """Inputs [b, channels, height, width] and targets [b] of the present step."""
        n = len(self._images)
        batch = slice(n * self.step // self._steps, n * (self.step + 1) // self._steps)
        if self._augment.crop or self._augment.flip:
            pixels = windows(self._padded, draws, batch, self._images.side)
        else:
            pixels = self._padded[draws.order[batch]]
        inputs = self._images.inputs(pixels)
        if self._augment.cutout:
            inputs = cut_out(inputs, self._augment.cutout, draws.hole[batch])
        return inputs.contiguous(memory_format=self._format), self._images.targets[draws.order[batch]]

    def _loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        with _half_precision(inputs.device):
            output = self.network(inputs)
        heads = output if isinstance(output, tuple) else (output,)
        losses = [
            F.cross_entropy(logits.float(), targets, label_smoothing=self.recipe.label_smoothing)
            for logits in heads
        ]
        return losses[0] + self.recipe.auxiliary * sum(losses[1:]) if len(losses) > 1 else losses[0]


def scores(network: nn.Module, images: Images, batch_size: int) -> dict[str, float]:
    """`accuracy`, `balanced_accuracy` (the mean over the classes that occur) and mean cross-entropy
    `loss` of the network, in evaluation mode, on all images."""
    network.eval()
    right, losses = [], []
    with torch.inference_mode(), _half_precision(images.pixels.device):
        for begin in range(0, len(images), batch_size):
            batch = slice(begin, begin + batch_size)
            targets = images.targets[batch]
            logits = first_head(network(images.inputs(images.pixels[batch]))).float()
            right.append(logits.argmax(1) == targets)
            losses.append(F.cross_entropy(logits, targets, reduction="sum"))
    hits = torch.cat(right).double()
    seen = torch.bincount(images.targets)
    recall = torch.bincount(images.targets, weights=hits)[seen > 0] / seen[seen > 0]
    return {
        "accuracy": hits.mean().item(),
        "balanced_accuracy": recall.mean().item(),
        "loss": torch.stack(losses).sum().item() / len(images),
    }


def _optimiser(parameters: list[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """Biases and normalisation, the parameters of one dimension, do not decay."""
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [g for g in groups if g["params"]]
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(recipe.momentum, 0.999), fused=True)
    nesterov = recipe.momentum > 0
    return torch.optim.SGD(
        groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, fused=True
    )


def _half_precision(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where it gains: on CUDA (on CPU it is slower for such networks)."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()


def _seed(device: torch.device, seed: int) -> None:
    """Seed the device's own generator. (torch.manual_seed seeds those of all devices, and where CUDA
    is not yet in use remembers each call with its traceback: as dear as a small network's step.)"""
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """torch's global generators, seeded inside at will and left as they were found."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield
