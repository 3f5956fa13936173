"""Searches whose every answer is known: spaces with a table of measured results, to compare strategies on."""

from cambrian.benchmarks.benchmark import BENCHMARKS, Benchmark, benchmark
from cambrian.benchmarks.playing import Played, play
from cambrian.benchmarks.user_table import table

__all__ = ["BENCHMARKS", "Benchmark", "Played", "benchmark", "play", "table"]
