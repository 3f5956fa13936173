"""What to try next."""

from cambrian.registry import Registry
from cambrian.strategies.strategy import Evaluate, Job, Proposal, Stop, Strategy, Wait

STRATEGIES = Registry(
    "strategy",
    {
        "random": "cambrian.strategies.random:Random",
        "progressive": "cambrian.strategies.progressive:Progressive",
        "hill-climbing": "cambrian.strategies.hill_climbing:HillClimbing",
        "evolution": "cambrian.strategies.evolution:Evolution",
        "tournament": "cambrian.strategies.tournament:Tournament",
        "hierarchical-tournament": "cambrian.strategies.tournament:HierarchicalTournament",
    },
)

__all__ = ["STRATEGIES", "Evaluate", "Job", "Proposal", "Stop", "Strategy", "Wait"]
