"""What may be built. Spaces by name; the contract is `cambrian.spaces.space`."""

from cambrian.registry import Registry

SPACES = Registry(
    "space",
    {
        "pnas": "cambrian.spaces.pnas:PNAS",
        "tiny-chain": "cambrian.spaces.tiny_chain:TinyChain",
    },
)
