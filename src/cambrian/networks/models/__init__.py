"""The networks that architectures describe, one file a family, named as its space."""
