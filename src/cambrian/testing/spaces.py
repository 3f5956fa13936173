"""The suite for spaces."""

from __future__ import annotations

from cambrian.testing import knowledge, networks, walks
from cambrian.testing.cases import SpaceCase
from cambrian.testing.suite import Conformance, Suite

SPACE = Suite[SpaceCase]("space", walks.CHECKS + knowledge.CHECKS + networks.CHECKS)


class SpaceSuite(Conformance):
    """Subclass it in a test file and define `case(self) -> SpaceCase`."""

    suite = SPACE
