"""The doors for `invoke`: each parses, calls once, prints; `tasks.py` lists them."""
