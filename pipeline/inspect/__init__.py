"""What is in an RPM and its ELF files, read into frozen dataclasses."""
