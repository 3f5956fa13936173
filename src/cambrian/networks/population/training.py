"""The training of a population: several networks, often of different architectures, as one network on common
batches, each with its own weights, loss, optimiser state and learning rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from cambrian.networks.heads import first_head
from cambrian.networks.population.lanes import Lanes
from cambrian.networks.population.step import PopulationStep
from cambrian.networks.training.augment import Augment
from cambrian.networks.training.batches import Images
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.precision import half_precision, scoring_precision
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.trainer import Training


class Population:
    """Trains `networks`, which are on the device of `images`, for `epochs` epochs, by one recipe or one each.
    The batches are those of a `Training` of the same seed and name, which each network would have had alone;
    `training` is that of all lanes."""

    def __init__(
        self,
        networks: Sequence[nn.Module],
        images: Images,
        recipe: Recipe | Sequence[Recipe],
        augment: Augment,
        epochs: int,
        seed: int = 0,
        trial: int | str = 0,
    ) -> None:
        recipes = [recipe] * len(networks) if isinstance(recipe, Recipe) else list(recipe)
        height, width = images.side
        self._scored_in = scoring_precision(recipes[0].precision)
        self.lanes = Lanes(networks, (len(images.mean), height, width))
        self._step = PopulationStep(self.lanes, recipes, make_loss(recipes[0], images.goal))
        self.training = Training(
            self.lanes, images, recipes[0], augment, epochs, seed, trial, method=self._step
        )

    @property
    def finished(self) -> bool:
        return self.training.finished

    def run_epoch(self, after_step: Callable[[], None] = lambda: None) -> list[float]:
        """Train to the end of the present epoch. Returns each lane's mean loss over it, which is not finite
        where that network is lost, as are all where none is left."""
        self.training.run_epoch(after_step)
        means = (self._step.totals / self.training.epoch_length).tolist()
        self._step.totals.zero_()
        return list(map(float, means))

    def score(self, images: Images, batch_size: int) -> list[dict[str, float]]:
        """The `accuracy` and the mean cross-entropy `loss` of each lane on all images."""
        self.lanes.eval()
        right = torch.zeros(len(self.lanes.networks), device=images.pixels.device)
        losses = torch.zeros_like(right)
        with torch.inference_mode(), half_precision(images.pixels.device, self._scored_in):
            for begin in range(0, len(images), batch_size):
                batch = slice(begin, begin + batch_size)
                targets = images.targets[batch]
                logits = torch.stack([first_head(o) for o in self.lanes(images.inputs(images.pixels[batch]))])
                right += (logits.argmax(2) == targets).sum(1)
                losses += _sum_losses(logits.float(), targets)
        pairs = zip((right / len(images)).tolist(), (losses / len(images)).tolist(), strict=True)
        return [{"accuracy": accuracy, "loss": loss} for accuracy, loss in pairs]


def _sum_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """float[lanes, b, classes], int64[b] -> float[lanes]."""
    picked = logits.log_softmax(2).gather(2, targets.expand(len(logits), -1)[..., None])
    return -picked.sum((1, 2))
