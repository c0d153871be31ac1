"""Programs run on the library: trials for every package, and proofs in real programs."""
