"""Pinning a release: all of it, tried and in place at once, or nothing."""
