"""Predictors of an architecture's value, by which strategies rank thousands of candidates.

Importing this package does not import torch; asking `PREDICTORS` for a neural one does.
"""

from cambrian.predictors.predictor import Fitted, Learner, Prediction, Predictor
from cambrian.predictors.rank_correlation import kendall, spearman
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
        "gp": "cambrian.predictors.path_kernel:PathKernel",
        "gp-scores": "cambrian.predictors.path_kernel:SCORES",
        "weisfeiler-lehman": "cambrian.predictors.weisfeiler_lehman:WeisfeilerLehman",
        "otmann": "cambrian.predictors.otmann_kernel:OTMANN",
        "forest": "cambrian.predictors.forest:RandomForest",
        "boosting": "cambrian.predictors.boosting:Boosting",
        "gcn": "cambrian.predictors.gcn:GCN",
        "deep-ensemble": "cambrian.predictors.path_ensemble:PathEnsemble",
    },
)

__all__ = ["PREDICTORS", "Fitted", "Learner", "Prediction", "Predictor", "kendall", "spearman"]
