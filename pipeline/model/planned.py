"""What a plan makes beside its package: sub-packages, and the package of debug information."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from pipeline.model.package import SubpackageFile

NOARCH = "noarch"


@dataclass(frozen=True, slots=True)
class PlannedSubpackage:
    """A sub-package of a plan; see ``Subpackage``."""

    name: str
    file_name: str
    summary: str
    description: str
    file: tuple[SubpackageFile, ...]
    folders: tuple[str, ...]
    unit: str
    environment: tuple[str, ...]
    arch: str = NOARCH

    @property
    def dropin(self) -> str:
        """The installed path of the drop-in for its unit; empty without a unit."""
        return next((file.path for file in self.file if not file.source), "")

    @property
    def programs(self) -> tuple[str, ...]:
        """The installed paths of its programs."""
        return tuple(file.path for file in self.file if file.program)


@dataclass(frozen=True, slots=True)
class PlannedDebuginfo:
    """The package of a plan's debug information, in the folders where debuggers look for it."""

    name: str
    file_name: str
    summary: str
    description: str
    folder: PurePosixPath
    sources: PurePosixPath

    def file(self, build_id: str) -> PurePosixPath:
        """The installed path of the debug information of the library with this build-id."""
        return self.folder / build_id[:2] / f"{build_id[2:]}.debug"
