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
        "reinforce": "cambrian.strategies.reinforce:Reinforce",
        "ppo": "cambrian.strategies.ppo:PPO",
        "q-learning": "cambrian.strategies.q_learning:QLearning",
        "bayes": "cambrian.strategies.bayes:Bayes",
        "nas-bowl": "cambrian.strategies.nas_bowl:NASBowl",
        "bananas": "cambrian.strategies.bananas:BANANAS",
        "smac": "cambrian.strategies.smac:SMAC",
        "nasbot": "cambrian.strategies.nasbot:NASBOT",
        "tpe": "cambrian.strategies.tpe:TPE",
    },
)

__all__ = ["STRATEGIES", "Evaluate", "Job", "Proposal", "Stop", "Strategy", "Wait"]
