"""What may be built. Spaces by name; the contract is `cambrian.spaces.space`."""

from cambrian.registry import Registry

SPACES = Registry(
    "space",
    {
        "pnas": "cambrian.spaces.pnas:PNAS",
        "macro": "cambrian.spaces.macro:Macro",
        "nasbench101": "cambrian.spaces.nasbench101:NASBench101",
        "nasbench201": "cambrian.spaces.nasbench201:NASBench201",
        "tiny-chain": "cambrian.spaces.tiny_chain:TinyChain",
    },
)
