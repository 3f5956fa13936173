"""The error of a measure whose number a network does not have."""


class Undefined(ValueError):
    """The number is not defined for this network, as the agreement of rectifiers where it has none."""
