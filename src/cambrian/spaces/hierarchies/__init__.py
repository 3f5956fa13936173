"""Spaces of more than one level: motifs of motifs, and cells with the way they are stacked."""
