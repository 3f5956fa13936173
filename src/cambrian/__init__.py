"""cambrian: neural architecture search on PyTorch. Importing it does not import torch."""
