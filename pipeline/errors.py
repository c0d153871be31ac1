"""What can go wrong: one exception for each step, with its exit code and the way out.

Whatever a user can cause ends in one of these, and the doors print it; a traceback is a defect
of ours. README lists the exit codes; a unit test keeps the codes unique and the list complete.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class PackagingError(Exception):
    """A failure that the user can understand and act on.

    ``what`` is the sentence of what failed; ``expected`` and ``got`` are what was held against each
    other; ``file`` is where to look; ``detail`` are lines of evidence; ``hint`` is the command or
    the change to try next. All but ``what`` may be empty.
    """

    exit_code: ClassVar[int] = 1
    title: ClassVar[str] = "failed"

    def __init__(
        self,
        what: str,
        *,
        expected: str = "",
        got: str = "",
        file: Path | str | None = None,
        detail: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.got = got
        self.file = file
        self.detail = detail
        self.hint = hint

    def lines(self) -> list[str]:
        """The message as the user sees it, one string a line."""
        shown = [f"{self.title}: {self.what}"]
        shown += [f"  {line}" for line in self.detail.splitlines()]
        for label, value in (("expected", self.expected), ("got", self.got), ("file", self.file)):
            if value not in ("", None):
                shown.append(f"  {label + ':':<10}{value}")
        if self.hint:
            first, *more = self.hint.splitlines()
            shown.append(f"  {'try:':<10}{first}")
            shown += [f"  {'':<10}{line}" for line in more]
        return shown

    def __str__(self) -> str:
        return "\n".join(self.lines())


class RequestError(PackagingError):
    """A version, dist, arch or option that does not exist."""

    exit_code = 2
    title = "request"


class RecipeError(PackagingError):
    """A file below ``recipes/`` or ``buildroot/`` that cannot be used."""

    exit_code = 10
    title = "recipe"


class HostError(PackagingError):
    """A program that this machine lacks."""

    exit_code = 11
    title = "host"


class WorkspaceError(PackagingError):
    """A folder that cannot be read or written: permissions, a full disk."""

    exit_code = 12
    title = "workspace"


class FetchError(PackagingError):
    """No source could be had."""

    exit_code = 20
    title = "fetch"


class VerifyError(PackagingError):
    """A source that is not what the recipe pins."""

    exit_code = 21
    title = "verify"


class UnpackError(PackagingError):
    """An archive that is broken, or that reaches out of its folder."""

    exit_code = 22
    title = "unpack"


class PatchError(PackagingError):
    """A patch that does not apply, or is not the one that the recipe pins."""

    exit_code = 23
    title = "patch"


class ConfigureError(PackagingError):
    """cmake refused, or ignored an option."""

    exit_code = 24
    title = "configure"


class CompileError(PackagingError):
    """The compiler or the linker failed."""

    exit_code = 25
    title = "compile"


class StageError(PackagingError):
    """The install step failed, or installed something that no package may carry."""

    exit_code = 26
    title = "stage"


class PackageError(PackagingError):
    """rpmbuild failed."""

    exit_code = 27
    title = "package"


class CheckError(PackagingError):
    """A finished package was found wanting."""

    exit_code = 28
    title = "check"


class SmokeError(PackagingError):
    """A program that was started on the library did not run on it, or ran wrongly."""

    exit_code = 29
    title = "smoke"


class SignError(PackagingError):
    """A key that cannot sign, or a package that must not be signed."""

    exit_code = 30
    title = "sign"


class RepositoryError(PackagingError):
    """A package that must not be served, or a repository that could not be made."""

    exit_code = 31
    title = "repo"


class BumpError(PackagingError):
    """A release that cannot be pinned, or a change in it that nobody has accepted."""

    exit_code = 40
    title = "bump"


class StatusError(PackagingError):
    """A live process that does not run on the library that is on disk."""

    exit_code = 41
    title = "status"


class CompareError(PackagingError):
    """A comparison that would not be one: a server that fails, or is not on its allocator."""

    exit_code = 42
    title = "compare"


class RunError(PackagingError):
    """A program that was to run on the library, and did not."""

    exit_code = 43
    title = "run"


class Interrupted(PackagingError):
    """Ctrl-C, or a termination signal."""

    exit_code = 130
    title = "interrupted"
