"""Multi-branch spaces: a layer's input is a function of all earlier outputs (survey, Sec. 2)."""
