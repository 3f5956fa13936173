"""The ONNX file of an export, as `model.json` describes it: how near its outputs are, and how fast."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from cambrian.tasks.nouns import read_noun

ONNX, INT8 = "program.onnx", "program.int8.onnx"
_SAMPLE = "sample.safetensors"
WARMUP, RUNS, SECONDS = 20, 50, 2.0
"""The protocol of the measure `latency`."""
PROTOCOL = f"median of {RUNS} runs of 1 image on cpu, 1 thread, after up to {WARMUP} to warm up"


def describe_onnx(directory: Path, difference: float) -> dict[str, Any]:
    """The facts of the file in `directory`, whose outputs differ by `difference` from the network's."""
    return {"file": ONNX, "verified_difference": difference} | measure_file(directory, ONNX)


def measure_file(directory: Path, name: str) -> dict[str, Any]:
    """The bytes of an ONNX file, and its latency in milliseconds: the median and the middle 80 %, with their
    protocol."""
    from safetensors.numpy import load_file

    from cambrian.networks.measure.latency import time_forwards
    from cambrian.networks.onnx.session import Session

    image = load_file(directory / _SAMPLE)["inputs"][:1]
    session = Session(directory / name, threads=1)
    timing = time_forwards(lambda: session.run_once(image), time.perf_counter, WARMUP, RUNS, SECONDS)
    median, low, high = (round(1e3 * s, 5) for s in (timing.median, timing.low, timing.high))
    latency = {"median_ms": median, "low_ms": low, "high_ms": high, "protocol": PROTOCOL}
    return {"bytes": (directory / name).stat().st_size, "latency": latency}


def describe_in_words(facts: dict[str, Any]) -> list[str]:
    """A line on each ONNX file of an export, by its `model.json`."""
    lines = []
    if "onnx" in facts:
        card = facts["onnx"]
        difference = f"ONNX Runtime's outputs differ by {card['verified_difference']:.1g} at most"
        lines.append(f"{card['file']}: {difference}; {_write_cost(card)}")
    if "int8" in facts:
        card, noun = facts["int8"], read_noun(facts)
        lost = 100 * (card["float_accuracy"] - card["accuracy"])
        words = f"{abs(lost):.2f} points {'below' if lost > 0 else 'above'}" if lost else "the same as"
        accuracy = f"accuracy {100 * card['accuracy']:.2f} % on {card['images']:,} test {noun}"
        lines.append(f"{card['file']}: {accuracy}, {words} 32 bits; {_write_cost(card)}")
    return lines


def _write_cost(card: dict[str, Any]) -> str:
    latency, size = card["latency"], card["bytes"] / 1000
    spread = f"{latency['low_ms']:.3g} to {latency['high_ms']:.3g}"
    return f"{latency['median_ms']:.3g} ms ({spread}; {latency['protocol']}), {size:,.1f} KB"


def add_card(directory: Path, name: str, card: dict[str, Any]) -> None:
    """Write `card` under `name` into the export's `model.json`."""
    from cambrian.files import write_file

    path = directory / "model.json"
    facts = json.loads(path.read_text()) | {name: card}
    write_file(path, (json.dumps(facts, indent=1) + "\n").encode())
