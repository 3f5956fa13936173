"""Chain-structured spaces: layer after layer (survey, Sec. 2)."""
