"""Learned guesses of how good an architecture is: what strategies rank thousands of candidates by.

Importing this package does not import torch; asking `PREDICTORS` for a neural one does.
"""

from cambrian.predictors.surrogate import Surrogate, kendall, spearman
from cambrian.registry import Registry

PREDICTORS = Registry(
    "predictor",
    {
        "mlp": "cambrian.predictors.mlp:MLP",
        "mlp-ensemble": "cambrian.predictors.mlp:ENSEMBLE",
        "mlp-ensemble-paper": "cambrian.predictors.mlp:PAPER",
        "lstm": "cambrian.predictors.lstm:LSTM",
        "lstm-ensemble": "cambrian.predictors.lstm:ENSEMBLE",
        "lstm-ensemble-paper": "cambrian.predictors.lstm:PAPER",
        "ridge": "cambrian.predictors.ridge:Ridge",
    },
)

__all__ = ["PREDICTORS", "Surrogate", "kendall", "spearman"]
