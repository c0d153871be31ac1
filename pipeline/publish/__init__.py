"""Packages that others can trust and install: signed, laid out as repositories, explained."""
