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
        "nsga2": "cambrian.strategies.evolution.nsga2:NSGA2",
        "successive-halving": ("cambrian.strategies.multifidelity.successive_halving:SuccessiveHalving"),
        "hyperband": "cambrian.strategies.multifidelity.hyperband:Hyperband",
        "asha": "cambrian.strategies.multifidelity.asha:ASHA",
        "pasha": "cambrian.strategies.multifidelity.pasha:PASHA",
        "bohb": "cambrian.strategies.multifidelity.bohb:BOHB",
        "freeze-thaw": "cambrian.strategies.multifidelity.freeze_thaw:FreezeThaw",
        "race": "cambrian.strategies.multifidelity.race:Race",
        "reinforce": "cambrian.strategies.reinforcement.reinforce:Reinforce",
        "ppo": "cambrian.strategies.reinforcement.ppo:PPO",
        "q-learning": "cambrian.strategies.reinforcement.q_learning:QLearning",
        "filtered": "cambrian.strategies.filtered:Filtered",
        "scalarised": "cambrian.strategies.scalarised:Scalarised",
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
        "darts": "cambrian.strategies.one_shot.darts:DARTS",
        "gdas": "cambrian.strategies.one_shot.gdas:GDAS",
        "snas": "cambrian.strategies.one_shot.snas:SNAS",
        "pc-darts": "cambrian.strategies.one_shot.pc_darts:PCDARTS",
        "drnas": "cambrian.strategies.one_shot.drnas:DrNAS",
        "proxylessnas": "cambrian.strategies.one_shot.proxylessnas:ProxylessNAS",
        "beta-darts": "cambrian.strategies.one_shot.beta_darts:BetaDARTS",
        "sdarts-rs": "cambrian.strategies.one_shot.sdarts_rs:SDARTSRS",
        "r-darts": "cambrian.strategies.one_shot.r_darts:RDARTS",
    },
)

__all__ = ["STRATEGIES", "Evaluate", "Proposal", "Stop", "Strategy", "TrainSupernet", "Wait"]
