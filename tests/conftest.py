"""Being here puts `tests/` on sys.path, so that `mocks` can be imported, by workers too."""
