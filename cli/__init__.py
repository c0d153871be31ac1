"""The invoke tasks: each parses its flags, calls once, and prints; `tasks.py` lists them."""
