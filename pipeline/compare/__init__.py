"""Programs on the library, where they live: switched on, watched, run, compared."""
