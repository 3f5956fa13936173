"""Searches whose every answer is known: spaces with a table of measured results, to compare strategies on."""

from cambrian.benchmarks.benchmark import BENCHMARKS, Benchmark, benchmark
from cambrian.benchmarks.own import table
from cambrian.benchmarks.playing import Played, play

__all__ = ["BENCHMARKS", "Benchmark", "Played", "benchmark", "play", "table"]
