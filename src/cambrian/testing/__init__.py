"""Conformance suites: the promises of spaces, strategies, estimators, predictors, engines, measures and ways
to train a supernet, alone and together, as tests to inherit.

    from cambrian.testing import StrategyCase, StrategySuite

    class TestMine(StrategySuite):
        def case(self):
            return StrategyCase(Mine(), my_space)

Without pytest: `STRATEGY.violations(StrategyCase(Mine(), my_space))` lists the broken promises.
"""

from cambrian.testing.cases import SpaceCase
from cambrian.testing.engines import ENGINE, EngineCase, EngineSuite
from cambrian.testing.estimators import ESTIMATOR, EstimatorCase, EstimatorSuite
from cambrian.testing.measures import MEASURE, MeasureCase, MeasureSuite
from cambrian.testing.methods import METHOD, MethodCase, MethodSuite
from cambrian.testing.pairs import PAIR, PairCase, PairSuite
from cambrian.testing.play import StrategyCase
from cambrian.testing.predictors import PREDICTOR, PredictorCase, PredictorSuite
from cambrian.testing.spaces import SPACE, SpaceSuite
from cambrian.testing.strategies import STRATEGY, StrategySuite
from cambrian.testing.suite import NotApplicable, Suite, Violation
from cambrian.testing.toys import toy_task

__all__ = [
    "ENGINE",
    "ESTIMATOR",
    "MEASURE",
    "METHOD",
    "PAIR",
    "PREDICTOR",
    "SPACE",
    "STRATEGY",
    "EngineCase",
    "EngineSuite",
    "EstimatorCase",
    "EstimatorSuite",
    "MeasureCase",
    "MeasureSuite",
    "MethodCase",
    "MethodSuite",
    "NotApplicable",
    "PairCase",
    "PairSuite",
    "PredictorCase",
    "PredictorSuite",
    "SpaceCase",
    "SpaceSuite",
    "StrategyCase",
    "StrategySuite",
    "Suite",
    "Violation",
    "toy_task",
]
