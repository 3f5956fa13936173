"""The audit of estimation shortcuts: does a cheap measurement rank architectures rightly, and what does it
save?

`cambrian.audit("digits", shortcuts=["train(epochs=2)", "synflow"], truth="train(epochs=20)")`
"""
