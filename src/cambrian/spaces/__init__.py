"""What may be built. Spaces by name; the contract is `cambrian.spaces.space`."""

from cambrian.registry import Registry

SPACES = Registry(
    "space",
    {
        "pnas": "cambrian.spaces.cells.pnas:PNAS",
        "macro": "cambrian.spaces.chains.macro:Macro",
        "nasbench101": "cambrian.spaces.cells.nasbench101:NASBench101",
        "nasbench201": "cambrian.spaces.cells.nasbench201:NASBench201",
        "autoformer": "cambrian.spaces.sequences.autoformer:AutoFormer",
        "hierarchical": "cambrian.spaces.hierarchies.hierarchical:Hierarchical",
        "stacked": "cambrian.spaces.hierarchies.stacked:Stacked",
        "proxylessnas": "cambrian.spaces.chains.mobile:ProxylessNAS",
        "mnasnet": "cambrian.spaces.chains.mobile:MnasNet",
        "darts-rnn": "cambrian.spaces.sequences.darts_rnn:DARTSRNN",
        "nascell": "cambrian.spaces.sequences.nascell:NASCell",
        "metaqnn": "cambrian.spaces.chains.metaqnn:MetaQNN",
        "anchor-points": "cambrian.spaces.branches.anchor_points:AnchorPoints",
        "nasnet": "cambrian.spaces.cells.nasnet:NASNet",
        "amoebanet": "cambrian.spaces.cells.amoebanet:AmoebaNet",
        "enas-micro": "cambrian.spaces.cells.enas_micro:ENASMicro",
        "darts": "cambrian.spaces.cells.darts:DARTS",
        "enas-macro": "cambrian.spaces.branches.enas_macro:ENASMacro",
        "free-graph": "cambrian.spaces.branches.free_graph:FreeGraph",
        "network-morphism": "cambrian.spaces.branches.network_morphism:NetworkMorphism",
        "cgp": "cambrian.spaces.chains.cgp:CGP",
        "memory-banks": "cambrian.spaces.branches.memory_banks:MemoryBanks",
        "tiny-chain": "cambrian.spaces.chains.tiny_chain:TinyChain",
    },
)
