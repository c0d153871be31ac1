"""The errors that a user can cause, with the exit codes that docs/maintainer.md lists."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import ClassVar

from pipeline.model.printable import printable


@dataclass(eq=False)
class PackagingError(Exception):
    """A failure that the user can understand and act on.

    ``what`` says what failed, ``expected`` and ``got`` are the two values that differ, ``file`` is
    the file to look at, ``detail`` holds lines of evidence, and ``hint`` is the command or the
    change to try next. ``results`` is what ``--json`` prints beside the error. All but ``what`` may
    be empty.
    """

    exit_code: ClassVar[int]
    title: ClassVar[str]

    what: str
    _: KW_ONLY
    expected: str = ""
    got: str = ""
    file: Path | str | None = None
    detail: str = ""
    hint: str = ""
    results: Mapping[str, object] = field(default_factory=dict)

    def __init_subclass__(cls, code: int, title: str) -> None:
        cls.exit_code, cls.title = code, title

    def lines(self) -> list[str]:
        """The lines of the message as the user sees it."""
        lines = [f"{self.title}: {self.what}"]
        lines += [f"  {line}" for line in self.detail.splitlines()]
        for label, value in (("expected", self.expected), ("got", self.got), ("file", self.file)):
            if value not in ("", None):
                lines.append(f"  {label + ':':<10}{value}")
        for number, line in enumerate(self.hint.splitlines()):
            lines.append(f"  {'' if number else 'try:':<10}{line}")
        return lines

    def fields(self) -> dict[str, object]:
        """The error for ``--json``: texts, empty where there is nothing to say."""
        names = ("what", "expected", "got", "file", "detail", "hint")
        texts = {name: str(getattr(self, name) or "") for name in names}
        return {"code": self.exit_code, "title": self.title, **texts}

    def __str__(self) -> str:
        return printable("\n".join(self.lines()))


class RequestError(PackagingError, code=2, title="request"):
    """A version, dist, arch or option that does not exist."""


class RecipeError(PackagingError, code=10, title="recipe"):
    """A file below ``recipes/`` or ``buildroot/`` that cannot be used."""


class HostError(PackagingError, code=11, title="host"):
    """A program that this host does not have."""


class WorkspaceError(PackagingError, code=12, title="workspace"):
    """A folder that cannot be read or written, such as for permissions or a full disk."""


class FetchError(PackagingError, code=20, title="fetch"):
    """A source that cannot be downloaded."""


class VerifyError(PackagingError, code=21, title="verify"):
    """A source that differs from the one that the recipe pins."""


class UnpackError(PackagingError, code=22, title="unpack"):
    """An archive that is malformed, or that contains paths outside of its folder."""


class PatchError(PackagingError, code=23, title="patch"):
    """A patch that does not apply, or that differs from the one that the recipe pins."""


class ConfigureError(PackagingError, code=24, title="configure"):
    """cmake fails, or ignores an option."""


class CompileError(PackagingError, code=25, title="compile"):
    """The compiler or the linker fails."""


class StageError(PackagingError, code=26, title="stage"):
    """The install step fails, or installs something that no package may contain."""


class PackageError(PackagingError, code=27, title="package"):
    """rpmbuild fails."""


class CheckError(PackagingError, code=28, title="check"):
    """A finished package with findings, or a package that cannot be read."""


class SmokeError(PackagingError, code=29, title="smoke"):
    """A program that does not run on the library, or gives wrong results on it."""


class SignError(PackagingError, code=30, title="sign"):
    """A key that cannot sign, or a package that must not be signed."""


class RepositoryError(PackagingError, code=31, title="repo"):
    """A package that must not be published, or a repository that cannot be made."""


class BumpError(PackagingError, code=40, title="bump"):
    """A release that cannot be pinned, or a change in it that needs to be accepted."""


class StatusError(PackagingError, code=41, title="status"):
    """A running process that does not use the library that is on disk."""


class CompareError(PackagingError, code=42, title="compare"):
    """A server under comparison that fails, or does not use its allocator."""


class RunError(PackagingError, code=43, title="run"):
    """A program that was started with the library, and does not use it."""


class Interrupted(PackagingError, code=130, title="interrupted"):
    """Ctrl-C, or a termination signal."""
