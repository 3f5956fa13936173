"""Which strategy is better, at which budget, how surely.

`compare("nb201-cifar10", "evolution,progressive", seeds=100, budget=300).verdict`
"""

from cambrian.referee.comparison import Comparison, compare, resume
from cambrian.referee.contest import OnBenchmark, OnTraining

__all__ = ["Comparison", "OnBenchmark", "OnTraining", "compare", "resume"]
