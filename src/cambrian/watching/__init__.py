"""A run in a browser, while it works and after."""
