"""Search spaces by name; the contract is `cambrian.spaces.space`."""

from cambrian.registry import Registry

SPACES = Registry(
    "space",
    {
        "pnas": "cambrian.spaces.cells.pnas:PNAS",
        "macro": "cambrian.spaces.chains.macro.space:Macro",
        "nasbench101": "cambrian.spaces.cells.nasbench101.space:NASBench101",
        "nasbench201": "cambrian.spaces.cells.nasbench201.space:NASBench201",
        "autoformer": "cambrian.spaces.sequences.autoformer.space:AutoFormer",
        "hierarchical": "cambrian.spaces.hierarchies.hierarchical.space:Hierarchical",
        "tree-cells": "cambrian.spaces.hierarchies.tree_cells.space:TreeCells",
        "stacked": "cambrian.spaces.hierarchies.stacked.space:Stacked",
        "proxylessnas": "cambrian.spaces.chains.mobile.space:ProxylessNAS",
        "mnasnet": "cambrian.spaces.chains.mobile.space:MnasNet",
        "darts-rnn": "cambrian.spaces.sequences.recurrent.darts_rnn:DARTSRNN",
        "nascell": "cambrian.spaces.sequences.recurrent.nascell:NASCell",
        "metaqnn": "cambrian.spaces.chains.metaqnn.space:MetaQNN",
        "anchor-points": "cambrian.spaces.branches.anchor_points.space:AnchorPoints",
        "nasnet": "cambrian.spaces.cells.nasnet:NASNet",
        "amoebanet": "cambrian.spaces.cells.amoebanet:AmoebaNet",
        "enas-micro": "cambrian.spaces.cells.enas_micro:ENASMicro",
        "darts": "cambrian.spaces.cells.darts:DARTS",
        "enas-macro": "cambrian.spaces.branches.enas_macro.space:ENASMacro",
        "free-graph": "cambrian.spaces.branches.free_graph.space:FreeGraph",
        "network-morphism": "cambrian.spaces.branches.network_morphism.space:NetworkMorphism",
        "cgp": "cambrian.spaces.chains.cgp.space:CGP",
        "fabric": "cambrian.spaces.branches.fabric.space:Fabric",
        "memory-banks": "cambrian.spaces.branches.memory_banks.space:MemoryBanks",
        "encoder-decoder": "cambrian.spaces.branches.encoder_decoder.space:EncoderDecoder",
        "stages": "cambrian.spaces.chains.stages.space:Stages",
        "ofa": "cambrian.spaces.chains.ofa.space:OFA",
        "tabular": "cambrian.spaces.chains.tabular.space:TabularNetworks",
        "joint": "cambrian.spaces.joint.space:Joint",
        "tiny-chain": "cambrian.spaces.chains.tiny_chain:TinyChain",
    },
)
