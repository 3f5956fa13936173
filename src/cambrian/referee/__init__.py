"""Comparison of strategies under many seeds: which is better, from which budget on, how surely.

`compare("nb201-cifar10", "evolution,progressive", seeds=100, budget=300).verdict`
"""

from cambrian.referee.comparison import Comparison, compare, resume
from cambrian.referee.contest import OnBenchmark, OnTraining

__all__ = ["Comparison", "OnBenchmark", "OnTraining", "compare", "resume"]
