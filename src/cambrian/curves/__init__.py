"""Models that extrapolate learning curves, by name."""

from cambrian.registry import Registry

CURVE_MODELS = Registry(
    "curve model",
    {
        "last-value": "cambrian.curves.baselines:LastValue",
        "best-so-far": "cambrian.curves.baselines:BestSoFar",
        "mean-gain": "cambrian.curves.baselines:MeanGain",
        "domhan": "cambrian.curves.domhan:Domhan",
        "svr": "cambrian.curves.svr:SVR",
        "lc-net": "cambrian.curves.lc_net:LCNet",
        "freeze-thaw": "cambrian.curves.freeze_thaw:FreezeThaw",
        "pfn": "cambrian.curves.pfn:PFN",
    },
)

__all__ = ["CURVE_MODELS"]
