"""What is there: an RPM and the ELF file in it, read into frozen dataclasses, not judged."""

from pipeline.inspect.package import gather, read

__all__ = ["gather", "read"]
