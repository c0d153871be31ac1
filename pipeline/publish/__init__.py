"""Packages for others: signed, in repositories for dnf and yum, with a page."""
