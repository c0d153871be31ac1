"""Programs run on the library: trials of every package, and the smoke test of real programs."""
