"""Search strategies, by name."""

from cambrian.registry import Registry
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, Strategy, TrainSupernet, Wait

STRATEGIES = Registry(
    "strategy",
    {
        "random": "cambrian.strategies.random:Random",
        "progressive": "cambrian.strategies.progressive:Progressive",
        "hill-climbing": "cambrian.strategies.hill_climbing:HillClimbing",
        "evolution": "cambrian.strategies.evolution.regularized:Evolution",
        "tournament": "cambrian.strategies.evolution.tournament:Tournament",
        "hierarchical-tournament": "cambrian.strategies.evolution.tournament:HierarchicalTournament",
        "race": "cambrian.strategies.multifidelity.race:Race",
        "reinforce": "cambrian.strategies.reinforcement.reinforce:Reinforce",
        "ppo": "cambrian.strategies.reinforcement.ppo:PPO",
        "q-learning": "cambrian.strategies.reinforcement.q_learning:QLearning",
        "bayes": "cambrian.strategies.bayesian.bayes:Bayes",
        "nas-bowl": "cambrian.strategies.bayesian.nas_bowl:NASBowl",
        "bananas": "cambrian.strategies.bayesian.bananas:BANANAS",
        "smac": "cambrian.strategies.bayesian.smac:SMAC",
        "nasbot": "cambrian.strategies.bayesian.nasbot:NASBOT",
        "random-shared": "cambrian.strategies.one_shot.random_shared:RandomShared",
        "spos": "cambrian.strategies.one_shot.spos:SPOS",
        "fairnas": "cambrian.strategies.one_shot.fairnas:FairNAS",
        "one-shot": "cambrian.strategies.one_shot.bender:Bender",
        "enas": "cambrian.strategies.one_shot.enas:ENAS",
        "tpe": "cambrian.strategies.bayesian.tpe:TPE",
    },
)

__all__ = ["STRATEGIES", "Evaluate", "Proposal", "Stop", "Strategy", "TrainSupernet", "Wait"]
