"""What can go wrong: one exception for each step, with its exit code and the way out.

Whatever a user can cause ends in one of these, and the doors print it; a traceback is a defect
of ours. README lists the exit codes; a unit test keeps the codes unique and the list complete.
"""

from pathlib import Path
from typing import ClassVar


class PackagingError(Exception):
    """A failure that the user can understand and act on.

    ``what`` is the sentence of what failed; ``expected`` and ``got`` are what was held against each
    other; ``file`` is where to look; ``detail`` are lines of evidence; ``hint`` is the command or
    the change to try next. All but ``what`` may be empty.
    """

    exit_code: ClassVar[int]
    title: ClassVar[str]

    def __init_subclass__(cls, code: int, title: str) -> None:
        cls.exit_code, cls.title = code, title

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


class RequestError(PackagingError, code=2, title="request"):
    """A version, dist, arch or option that does not exist."""


class RecipeError(PackagingError, code=10, title="recipe"):
    """A file below ``recipes/`` or ``buildroot/`` that cannot be used."""


class HostError(PackagingError, code=11, title="host"):
    """A program that this machine lacks."""


class WorkspaceError(PackagingError, code=12, title="workspace"):
    """A folder that cannot be read or written: permissions, a full disk."""


class FetchError(PackagingError, code=20, title="fetch"):
    """No source could be had."""


class VerifyError(PackagingError, code=21, title="verify"):
    """A source that is not what the recipe pins."""


class UnpackError(PackagingError, code=22, title="unpack"):
    """An archive that is broken, or that reaches out of its folder."""


class PatchError(PackagingError, code=23, title="patch"):
    """A patch that does not apply, or is not the one that the recipe pins."""


class ConfigureError(PackagingError, code=24, title="configure"):
    """cmake refused, or ignored an option."""


class CompileError(PackagingError, code=25, title="compile"):
    """The compiler or the linker failed."""


class StageError(PackagingError, code=26, title="stage"):
    """The install step failed, or installed something that no package may carry."""


class PackageError(PackagingError, code=27, title="package"):
    """rpmbuild failed."""


class CheckError(PackagingError, code=28, title="check"):
    """A finished package was found wanting."""


class SmokeError(PackagingError, code=29, title="smoke"):
    """A program that was started on the library did not run on it, or ran wrongly."""


class SignError(PackagingError, code=30, title="sign"):
    """A key that cannot sign, or a package that must not be signed."""


class RepositoryError(PackagingError, code=31, title="repo"):
    """A package that must not be served, or a repository that could not be made."""


class BumpError(PackagingError, code=40, title="bump"):
    """A release that cannot be pinned, or a change in it that nobody has accepted."""


class StatusError(PackagingError, code=41, title="status"):
    """A live process that does not run on the library that is on disk."""


class CompareError(PackagingError, code=42, title="compare"):
    """A comparison that would not be one: a server that fails, or is not on its allocator."""


class RunError(PackagingError, code=43, title="run"):
    """A program that was to run on the library, and did not."""


class Interrupted(PackagingError, code=130, title="interrupted"):
    """Ctrl-C, or a termination signal."""
