"""What is built: a release, its sources, and our changes to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal

from pipeline.model.package import Flavor, Guards


@dataclass(frozen=True, slots=True)
class Source:
    """One source of a release, pinned by the checksum of its archive.

    Exactly one of ``url``, ``sdist`` (``name==version`` of a Python source distribution) and
    ``debian`` (``name=version`` of a Debian source package) is set.
    """

    sha256: str
    url: str = ""
    sdist: str = ""
    debian: str = ""

    @property
    def kind(self) -> str:
        """The name of the field that is set."""
        return "url" if self.url else "sdist" if self.sdist else "debian"

    @property
    def reference(self) -> str:
        """The value of the field that is set."""
        return self.url or self.sdist or self.debian


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch of ours: a file below ``patches/<version>/``, its checksum, and its reason.

    ``test`` is the trial that fails without it, if there is one; ``conformance: <rule>`` is one
    rule of a trial.
    """

    file: str
    sha256: str
    why: str
    test: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A rule of the conformance probe that a release violates by design, and why that stays so.

    ``flavor`` is the only one that violates it; empty for all.
    """

    rule: str
    why: str
    flavor: str = ""


@dataclass(frozen=True, slots=True)
class FlavorChange:
    """What is different in a flavor of one release: what is set here; ``cmake`` is added."""

    level: int = 0
    guards: Guards = ""
    cmake: Mapping[str, str] = field(default_factory=dict)

    def of(self, flavor: Flavor) -> Flavor:
        """The flavor as it is of this release."""
        return replace(
            flavor,
            level=self.level or flavor.level,
            guards=self.guards or flavor.guards,
            cmake={**flavor.cmake, **self.cmake},
        )


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the package's changelog, with its release number and its date."""

    release: int
    date: date
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One release of mimalloc.

    ``released`` is the time of the tagged commit (UTC) and the only time in a package. ``tree`` is
    the checksum of the files that a build reads, as ``sha256:<hex>``. ``library`` is the file name
    of the shared library. ``folders`` says how an erased package leaves no empty folder: it owns
    those below the prefix, or ``%postun`` removes the empty ones, as it does the prefix itself.
    ``unmarked`` are hardening traits that this release is compiled with, but that cannot be seen in
    its library. ``profile`` is the checksum of what its library is optimised for, as that of the
    tree; empty for a release without one.
    """

    version: str
    line: str
    released: datetime
    soname: str
    library: str
    mi_version: int
    tree: str
    source: tuple[Source, ...]
    changelog: tuple[Change, ...]
    folders: Literal["owned", "swept"] = "owned"
    unmarked: tuple[str, ...] = ()
    profile: str = ""
    cmake: Mapping[str, str] = field(default_factory=dict)
    patch: tuple[Patch, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    flavor: Mapping[str, FlavorChange] = field(default_factory=dict)

    @property
    def release(self) -> int:
        """The release number of the package: that of its newest changelog entry."""
        return self.changelog[0].release

    @property
    def moment(self) -> int:
        """``released`` in Unix seconds."""
        return int(self.released.timestamp())
