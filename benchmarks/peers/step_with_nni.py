"""One step of NNI's DARTS for every line on the input: the seconds by the wall clock and the processor's.

    python step_with_nni.py FILTERS CELLS BATCH SIDE THREADS

The supernet is NNI's own, of its space `DARTS`; the step is that of its `DartsLightningModule`: gates by Adam
on one batch, weights by SGD on the other, each after a backward pass to all parameters. Lightning's own loop
around it is left out, in NNI's favour.
"""

import sys
import time
import warnings

warnings.simplefilter("ignore")

import torch  # noqa: E402
from nni.nas.hub.pytorch import DARTS as Space  # noqa: E402
from nni.nas.strategy import DARTS as Strategy  # noqa: E402
from torch import nn  # noqa: E402


def main() -> None:
    filters, cells, batch, side, threads = map(int, sys.argv[1:])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    supernet = Strategy().mutate_model(Space(width=filters, num_cells=cells, dataset="cifar")).train()
    modules = [m for m in supernet.modules() if hasattr(m, "arch_parameters")]
    gates = list({id(p): p for m in modules for p in m.arch_parameters()}.values())
    known = {id(p) for p in gates}
    weights = [p for p in supernet.parameters() if id(p) not in known]
    by_gates = torch.optim.Adam(gates, 3e-4, betas=(0.5, 0.999), weight_decay=1e-3)
    by_weights = torch.optim.SGD(weights, 0.025, momentum=0.9, weight_decay=3e-4)
    size = (batch, 3, side, side)
    pairs = [(torch.randn(size), torch.randint(10, (batch,))) for _ in range(2)]

    def lose(pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        output = supernet(pair[0])
        logits = output[0] if isinstance(output, tuple) else output
        loss: torch.Tensor = nn.functional.cross_entropy(logits, pair[1])
        return loss

    def step() -> None:
        by_gates.zero_grad()
        lose(pairs[0]).backward()
        by_gates.step()
        by_weights.zero_grad()
        lose(pairs[1]).backward()
        nn.utils.clip_grad_norm_(weights, 5.0)
        by_weights.step()

    print("ready", sum(p.numel() for p in weights), len(gates), flush=True)
    for _line in sys.stdin:
        began = time.perf_counter(), time.process_time()
        step()
        print(time.perf_counter() - began[0], time.process_time() - began[1], flush=True)


main()
