"""Networks that read sequences: of patches (transformers), of rows or characters (recurrent cells)."""
