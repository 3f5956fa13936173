"""The survey's third question, which estimate of performance to trust (Elsken et al. 2019, Table 1), with
measured columns: an audit of each shortcut by a table, live on images, and live on data that are not images.

    python benchmarks/rq3.py RUN --images fashion.npz --others sounds.npz
    python benchmarks/rq3.py RUN --parts table

`table` is NAS-Bench-201 (its files are looked for in CAMBRIAN_DATA), `images` and `others` are the space
--space on these data. Every measurement is a row of a run in RUN: the same call goes on after an
interruption, and prints what is finished."""

from __future__ import annotations

import argparse
from pathlib import Path

import cambrian
from cambrian.audits.audit import Audit
from cambrian.audits.figures import describe_ceiling, describe_recommendation
from cambrian.audits.judgement import FAVOURED, Judgement

PARTS = ("table", "images", "others")
FAMILIES = {
    "train": "lower fidelity",
    "extrapolated": "learning-curve extrapolation",
    "inherited": "weight inheritance",
    "one-shot": "one-shot",
}
"""The rows of the survey's Table 1, by the name of a shortcut; every other one is a measure without
training."""


def main() -> None:
    asked = read_arguments()
    for part in asked.parts:
        audited = audit_table(asked) if part == "table" else audit_live(asked, part)
        print(f"\n### {audited.subject.title}: {len(audited.scores)} networks, {audited.subject.truth}\n")
        print("\n".join(list_rows(audited)))
        print(f"\n{describe_ceiling(audited)} {describe_recommendation(audited)}", flush=True)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--benchmark", default="nb201-cifar10")
    parser.add_argument("--images", default="digits")
    parser.add_argument("--others", default="digits")
    parser.add_argument("--space", default="pnas")
    parser.add_argument("--truth", type=int, default=20, help="epochs of the truth")
    parser.add_argument("--sample", type=int, default=30)
    parser.add_argument("--twice", type=int, default=5)
    parser.add_argument("--table-sample", type=int, default=200)
    parser.add_argument("--limit", type=int, default=None, help="images of each data set")
    parser.add_argument("--size", type=int, default=None, help="pixels a side of the images")
    parser.add_argument("--scored", type=int, default=None, help="of the images, those that a value is of")
    parser.add_argument("--mels", type=int, default=None, help="bands of the others' spectrograms")
    parser.add_argument("--workers", type=int, default=1)
    return parser.parse_args()


def audit_table(asked: argparse.Namespace) -> Audit:
    """Trainings by look-up; proxies are measured where the images are at hand, by `cambrian audit`."""
    return cambrian.audit(
        benchmark=asked.benchmark,
        sample=asked.table_sample,
        twice=60,
        directory=asked.run / "table",
    )


def audit_live(asked: argparse.Namespace, part: str) -> Audit:
    of_images = {"size": asked.size, "validation": asked.scored}
    reading = of_images if part == "images" else {"mels": asked.mels}
    given = {name: value for name, value in reading.items() if value is not None}
    task = cambrian.load(getattr(asked, part), limit=asked.limit, **given)
    return cambrian.audit(
        task,
        space=asked.space,
        shortcuts=list_shortcuts(asked.truth),
        truth=f"train(epochs={asked.truth})",
        sample=asked.sample,
        twice=asked.twice,
        directory=asked.run / part,
        workers=asked.workers,
        tell=lambda text: print(text, flush=True),
    )


def list_shortcuts(epochs: int) -> list[str]:
    """One or two of each row of the survey's table."""
    short, middle = max(1, epochs // 10), max(1, epochs // 4)
    trained = [f"train(epochs={n})" for n in dict.fromkeys((short, middle)) if n < epochs]
    return [
        *trained,
        "train(fraction=0.25)",
        "extrapolated(model=mean-gain)",
        f"inherited(epochs={short})",
        f"one-shot(epochs={epochs})",
        "synflow",
        "naswot",
        "jacob_cov",
    ]


def list_rows(audited: Audit) -> list[str]:
    """The survey's table in Markdown, with measured columns."""
    header = ("row of the survey", "shortcut", "Kendall (95 %)", "Spearman", "top third", "saves", "favours")
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for each in audited.judgements:
        saves = "all" if each.baseline else "–" if each.saves is None else f"{each.saves:.3g}x"
        cells = (
            name_family(each),
            each.label,
            each.kendall,
            each.spearman,
            each.top,
            saves,
            list_leans(each),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def name_family(judgement: Judgement) -> str:
    if judgement.baseline:
        return "baseline"
    return FAMILIES.get(judgement.label.split("(")[0], "without training")


def list_leans(judgement: Judgement) -> str:
    """What it surely favours at equal truth, the strongest first."""
    sure = [
        (kind, figure.value)
        for kind, figure in judgement.leans.items()
        if figure.value is not None and figure.low is not None and figure.high is not None
        if figure.low > 0 or figure.high < 0
    ]
    ordered = sorted(sure, key=lambda pair: -abs(pair[1]))
    return ", ".join(f"{FAVOURED[kind][value < 0]} ({value:+.2f})" for kind, value in ordered) or "–"


if __name__ == "__main__":
    main()
