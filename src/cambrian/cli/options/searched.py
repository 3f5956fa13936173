"""What is searched: space and strategy, what ranks networks, and what they are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cambrian.cli.listing import complete
from cambrian.cli.options.headings import FINAL, SEARCHED

BenchmarkName = Annotated[
    str | None,
    typer.Option(
        help="Train nothing: look results up in a published table, or in your own .csv or .npz.",
        autocompletion=complete("benchmarks"),
        rich_help_panel=SEARCHED,
    ),
]
SpaceName = Annotated[
    str | None,
    typer.Option(
        help="Which networks may be built: NAME, NAME(setting=value, ...), or module:function of yours;"
        " cambrian list spaces.",
        show_default="by the data: of images stages within a time, else pnas",
        autocompletion=complete("spaces"),
        rich_help_panel=SEARCHED,
    ),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:NAME",
        help="Search changes of your own network: module:name of a torch.nn.Module, or of a function or"
        " class that makes one, in place of --space.",
        show_default=False,
        rich_help_panel=SEARCHED,
    ),
]
StrategyName = Annotated[
    str | None,
    typer.Option(
        help="How the next network is chosen: NAME, NAME(paper), NAME(setting=value, ...); cambrian list"
        " strategies.",
        show_default="race within a time, else by space and budget",
        autocompletion=complete("strategies"),
        rich_help_panel=SEARCHED,
    ),
]
BeginWith = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="Train the best networks of an earlier run first, anew; its space is searched, unless --space"
        " names another.",
        show_default=False,
        rich_help_panel=SEARCHED,
    ),
]
Surrogate = Annotated[
    str | None,
    typer.Option(
        help="The predictor with which progressive search ranks networks before training any; cambrian"
        " list predictors.",
        show_default="mlp-ensemble",
        autocompletion=complete("predictors"),
        rich_help_panel=SEARCHED,
    ),
]
EstimatorName = Annotated[
    str | None,
    typer.Option(
        help="What ranks networks in the search: train; a measure before training, such as naswot or"
        " 'zen(repeats=8)' (cambrian list measures); 'extrapolated(model=pfn)', which ends trainings"
        " early (cambrian list curve-models); module:function, which gets a network and returns a number"
        " or a dictionary of metrics; or auto: the shortcut that an audit recommends.",
        show_default="train",
        autocompletion=complete("measures"),
        rich_help_panel=SEARCHED,
    ),
]
Paper = Annotated[
    bool,
    typer.Option(
        "--paper",
        help="The settings of the PNAS paper: B=5, K=256, 20 epochs, F=24.",
        rich_help_panel=SEARCHED,
    ),
]
Entrants = Annotated[
    str | None,
    typer.Option(
        help="Race at most so many networks of the portfolio within a time, random ones (random), or one"
        " by its name, such as resnet.",
        show_default=False,
        rich_help_panel=SEARCHED,
    ),
]
ByHand = Annotated[
    bool,
    typer.Option(
        "--by-hand",
        help="Train a small residual network for the same time afterwards, whatever --limit, --choose and"
        " --pretrained say; of a table gradient boosting, of texts a linear model; and print both.",
        rich_help_panel=FINAL,
    ),
]
