"""The suite for spaces."""

from __future__ import annotations

from cambrian.testing import architectures, knowledge, mixtures, morphisms, networks, walks
from cambrian.testing.cases import SpaceCase
from cambrian.testing.suite import Conformance, Suite

ROOMS = (walks, knowledge, architectures, networks, morphisms, mixtures)
SPACE = Suite[SpaceCase]("space", tuple(check for room in ROOMS for check in room.CHECKS))


class SpaceSuite(Conformance):
    """Subclass it in a test file and define `case(self) -> SpaceCase`."""

    suite = SPACE
