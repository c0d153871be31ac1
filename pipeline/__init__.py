"""How a release of mimalloc becomes an RPM: one module for each step, in the order of the data."""
