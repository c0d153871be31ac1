"""The checks of a package against recipe, build root and manifest, as pure functions."""
