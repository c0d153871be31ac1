"""One nginx on several allocators: load, measurement, statistics, listing, picture."""
