"""Workflows cannot be run here, so they are read: for rules of this project, by other programs."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config import load
from tests.containers import matrix

ROOT = Path(__file__).resolve().parents[2]
DISTS = load.dists(ROOT)
FOLDER = ROOT / ".github/workflows"
WORKFLOWS = sorted(file for file in FOLDER.iterdir() if file.suffix in (".yml", ".yaml"))

# An action is pinned by a commit, which nobody can move, and named by the version that it was.
_USES = re.compile(r"^[ -]*uses: *(.*)$", re.MULTILINE)
_PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v[0-9]+(\.[0-9]+)*")
_IMAGE = re.compile(r"^[ -]*image: *(.*)$", re.MULTILINE)
_DIGEST = re.compile(r"[\w./:-]+@sha256:[0-9a-f]{64}|\$\{\{ matrix\.\w+ \}\}")
_JOB = re.compile(r"^  ([\w-]+):\n", re.MULTILINE)


def _jobs(text: str) -> Iterator[tuple[str, str]]:
    """Each job's name and lines. actionlint knows what YAML is; here indentation will do."""
    _, _, jobs = text.partition("\njobs:\n")
    _, *parts = _JOB.split(jobs)
    yield from zip(parts[::2], parts[1::2], strict=True)


def _scripts(text: str) -> Iterator[str]:
    """What follows each ``run:``, on its line or indented below it."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if found := re.match(r"([ -]*)run: *(.*)", line):
            depth = len(found[1])
            yield found[2]
            for below in lines[number + 1 :]:
                if below.strip() and len(below) - len(below.lstrip()) <= depth:
                    break
                yield below


def complaints(text: str) -> list[str]:
    """What is wrong with a workflow that actionlint has nothing to say about."""
    found = []
    if "\npermissions: {}\n" not in text:
        found.append("at the top, not `permissions: {}`: a job gets what it names, and no more")
    for action in _USES.findall(text):
        if not action.startswith("$/") and not _PINNED.fullmatch(action):
            found.append(f"not pinned by a commit with its version in a comment: {action}")
    for image in _IMAGE.findall(text):
        if not _DIGEST.fullmatch(image):
            found.append(f"not pinned by a digest: {image}")
    for name, job in _jobs(text):
        # A job that calls a workflow has the limits of the jobs in there.
        if not re.search(r"^    (timeout-minutes: *[0-9]|uses: )", job, re.MULTILINE):
            found.append(f"no timeout-minutes: {name}")
        if "secrets.SIGNING_KEY" in job and "\n    environment: release\n" not in job:
            found.append(f"the key outside of the protected environment: {name}")
        if "secrets.SIGNING_KEY" in job and re.search(r"bootstrap (?!invoke )|\.ci/run", job):
            found.append(
                f"more than invoke beside the key, which brings the tests' packages: {name}"
            )
        if re.search(r"uses: [\w/-]*cache\b", job):
            found.append(f"a cache, whose content nobody has reviewed: {name}")
    found += [f"an expression in a script: {line}" for line in _scripts(text) if "${{" in line]
    return found


def _actionlint(*files: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("actionlint")
    assert program, "it is in requirements/tests.txt"
    # Optional programs of the host must not matter.
    command = [program, "-no-color", "-shellcheck=", "-pyflakes=", *map(str, files)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_actionlint_finds_nothing() -> None:
    """Syntax, expressions, contexts, matrices, the inputs of workflows that are called."""
    assert WORKFLOWS
    for file in WORKFLOWS:
        done = _actionlint(file)

        assert 0 == done.returncode, done.stdout


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows_keep_our_rules(file: Path) -> None:
    """Pinned, bounded, without rights by default, and no value ever becomes a script."""
    assert [] == complaints(file.read_text())


GOOD = f"""\
on: push

permissions: {{}}

jobs:
  one:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    environment: release
    container:
      image: debian:12@sha256:{"1" * 64}
    steps:
      - uses: actions/checkout@{"0" * 40} # v1.2.3
      - run: |
          echo "$NAME"

          echo "$KEY"
        env:
          NAME: ${{{{ github.ref_name }}}}
          KEY: ${{{{ secrets.SIGNING_KEY }}}}
"""


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("", "", ""),
        ("permissions: {}", "permissions: read-all", "at the top"),
        ("permissions: {}\n", "", "at the top"),
        ("0" * 40 + " # v1.2.3", "v1.2.3", "not pinned by a commit"),
        (" # v1.2.3", "", "not pinned by a commit"),
        ("0" * 40, "0" * 7, "not pinned by a commit"),
        ("@sha256:" + "1" * 64, "", "not pinned by a digest"),
        ("    timeout-minutes: 5\n", "", "no timeout-minutes: one"),
        ("    environment: release\n", "", "the key outside"),
        ('echo "$KEY"', "./bootstrap nox", "more than invoke beside the key"),
        ("actions/checkout@", "actions/cache/restore@", "a cache"),
        ('"$NAME"', '"${{ github.ref_name }}"', "an expression in a script"),
        ('"$KEY"', '"${{ github.ref_name }}"', "an expression in a script"),
    ],
)
def test_each_rule_catches_what_breaks_it(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    """All of them are workflows that actionlint accepts, so it takes the rule to see it."""
    file = tmp_path / "workflow.yml"
    file.write_text(GOOD.replace(old, new))

    assert "" == _actionlint(file).stdout.partition("Success")[0]
    found = complaints(file.read_text())
    expected = [complaint] if complaint else []
    assert expected == [each[: len(complaint)] for each in found]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-2404", "label"),
        ("github.ref_name", "github.ref_nam", "ref_nam"),
        ("environment: release", "enviroment: release", "enviroment"),
        ('"$NAME"', '"${{ github.head_ref }}"', "untrusted"),
    ],
)
def test_actionlint_catches_mistakes(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    """It is the program that we think it is, and it ends with an error."""
    file = tmp_path / "workflow.yml"
    file.write_text(GOOD.replace(old, new))

    done = _actionlint(file)

    assert 1 == done.returncode
    assert complaint in done.stdout


def test_a_proposed_bump_is_tested() -> None:
    """What the token of a workflow pushes starts no other one, unless it is started by its name."""
    bump, packages = ((FOLDER / f"{name}.yml").read_text() for name in ("bump", "packages"))

    assert 'gh workflow run packages.yml --ref "$branch"' in bump
    assert "\n      actions: write" in bump
    assert "\n  workflow_dispatch:" in packages


def test_every_dist_and_machine_is_tried() -> None:
    """The matrix is made from the build roots, as JSON; each image is pinned by a digest."""
    command = [sys.executable, "tests/containers/matrix.py"]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    rows = json.loads(output)

    machines = {(dist, arch) for dist in DISTS for arch in load.build_root(ROOT, dist).machine}
    assert machines == {(row["dist"], row["arch"]) for row in rows}
    assert [] == [row for row in rows if not _DIGEST.fullmatch(row["image"])]
    assert {"ubuntu-24.04-arm"} == {row["runner"] for row in rows if row["arch"] == "aarch64"}


def test_a_dist_without_an_image_ends_with_a_message(tmp_path: Path) -> None:
    """It says where to name one."""
    (tmp_path / "el99.toml").touch()

    with pytest.raises(SystemExit, match=r"no image of el99: .* tests/containers/images\.toml"):
        matrix.rows(tmp_path)


def test_packit_packs_the_default_release() -> None:
    """Packit asks for one version, and the recipe is named in its file."""
    text = (ROOT / ".packit.yaml").read_text()

    assert f"spec=recipes/{load.package(ROOT).default.version}.toml" in text
