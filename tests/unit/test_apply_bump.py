"""`.ci/apply-bump`: of the patch that a bump has made, nothing is taken but what a bump writes."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci/apply-bump"

RECIPE = {"recipes/3.4.4.toml": "version\n"}
Bumped = Callable[[Path], None]


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    return subprocess.check_output(command, cwd=folder, text=True)


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a release, texts, and a file that no bump touches."""
    folder = tmp_path / "checkout"
    names = ("README.md", "CHANGELOG.md", "recipes/3.4.3.toml", "recipes/manifests/3.4.3.el8.txt")
    _write(folder, dict.fromkeys((*names, "tasks.py"), "one\n"))
    _git(folder, "init", "--quiet")
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message", "One")
    return folder


def _applied(checkout: Path, change: Bumped) -> subprocess.CompletedProcess[str]:
    """The patch of a change, as the job that bumps makes it, is applied to a clean checkout."""
    change(checkout)
    _git(checkout, "add", "--all")
    patch = checkout.parent / "patch"
    patch.write_text(_git(checkout, "diff", "--cached", "--binary"))
    _git(checkout, "reset", "--quiet", "--hard")
    return subprocess.run(
        [SCRIPT, patch], cwd=checkout, capture_output=True, text=True, check=False
    )


def test_what_a_bump_writes_is_applied(checkout: Path) -> None:
    """Recipe, manifests, patches, and the texts; the answer is the version."""
    files = {
        **RECIPE,
        **dict.fromkeys(("README.md", "CHANGELOG.md"), "two\n"),
        **dict.fromkeys(("recipes/manifests/3.4.4.el8.txt", "patches/3.4.4/0001-a.patch"), "x\n"),
    }
    done = _applied(checkout, lambda folder: _write(folder, files))

    assert (0, "3.4.4\n", "") == (done.returncode, done.stdout, done.stderr)
    changed = _git(checkout, "diff", "--cached", "--name-only").splitlines()
    assert sorted(files) == sorted(changed)


def _also(name: str, text: str = "two\n") -> Bumped:
    return lambda folder: _write(folder, {**RECIPE, name: text})


def _link(folder: Path) -> None:
    _write(folder, RECIPE)
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("/etc/passwd")


def _executable(folder: Path) -> None:
    _write(folder, RECIPE)
    (folder / "recipes/3.4.4.toml").chmod(0o755)


def _rename(folder: Path) -> None:
    _write(folder, RECIPE)
    (folder / "recipes/3.4.3.toml").rename(folder / "recipes/manifests/3.4.4.el8.txt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_also("tasks.py"), "does not touch this: tasks.py"),
        (_also(".github/workflows/packages.yml"), "does not touch this: .github"),
        (_also(".ci/run"), "does not touch this: .ci/run"),
        (_also("requirements/build.txt"), "does not touch this: requirements"),
        (_also("recipes/3.4.3.toml"), "does not touch this: recipes/3.4.3.toml"),
        (_also("recipes/manifests/3.4.3.el8.txt"), "does not touch this: recipes/manifests/3.4.3"),
        (_also("patches/3.4.3/0001-a.patch"), "does not touch this: patches/3.4.3"),
        (_also("evil A recipes/3.4.4.toml"), "does not touch this: evil"),
        (_also("recipes/manifests/3.4.4.\n.txt"), 'does not touch this: "recipes'),
        (_also("recipes/3.4.5.toml"), "got: 3.4.4 3.4.5"),
        (_link, "not as a bump changes it: :100644 120000"),
        (_executable, "expected one new recipe"),
        (_rename, "does not touch this: recipes/3.4.3.toml"),
        (lambda folder: _write(folder, {"README.md": "two\n"}), "expected one new recipe"),
        (lambda folder: _write(folder, {"recipes/x.toml": "two\n"}), "expected one new recipe"),
        (lambda folder: (folder / "README.md").unlink(), "expected one new recipe"),
    ],
)
def test_anything_else_is_refused(checkout: Path, change: Bumped, message: str) -> None:
    """With what was found, and nothing is left of it."""
    done = _applied(checkout, change)

    assert (65, "") == (done.returncode, done.stdout)
    assert message in done.stderr
    assert "" == _git(checkout, "status", "--porcelain")


@pytest.mark.parametrize(
    "text",
    [
        "not a patch\n",
        "--- a/tasks.py\n+++ b/tasks.py\n@@ -1 +1 @@\n-other\n+two\n",
        "--- /dev/null\n+++ b/../outside\n@@ -0,0 +1 @@\n+x\n",
        "--- /dev/null\n+++ b/.git/hooks/post-commit\n@@ -0,0 +1 @@\n+x\n",
    ],
)
def test_what_git_does_not_apply_is_refused(checkout: Path, text: str) -> None:
    """Among that are paths out of the checkout, and git's own."""
    patch = checkout.parent / "patch"
    patch.write_text(text)
    done = subprocess.run([SCRIPT, patch], cwd=checkout, capture_output=True, text=True)

    assert 65 == done.returncode
    assert "the patch does not apply" in done.stderr
    assert not (checkout.parent / "outside").exists()


def test_changes_of_the_checkout_are_not_lost(checkout: Path) -> None:
    """A checkout that somebody works in is left alone."""
    (checkout / "tasks.py").write_text("mine\n")
    done = subprocess.run([SCRIPT, "/none"], cwd=checkout, capture_output=True, text=True)

    assert (65, "mine\n") == (done.returncode, (checkout / "tasks.py").read_text())
