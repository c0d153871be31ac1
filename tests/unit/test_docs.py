"""The documents: what they refer to exists, and all texts of the project use the field's words."""

import re
import subprocess
from pathlib import Path

import pytest

from pipeline.config import load

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")])

# Metaphors that the code once spoke in. The brackets keep this file from containing them.
METAPHORS = re.compile(
    r"\b(d[o]ors?|r[o]oms?|e[r]rands?|sh[e]lf|sh[e]lves|v[i]sitors?|r[i]vals?|t[o]ld|g[u]ests?)\b",
    re.IGNORECASE,
)
# Their content is not ours: checksums, drawings, what others have written.
NOT_OURS = (".svg", ".png", ".so", ".json", "requirements/")


def _texts() -> dict[str, str]:
    """The files of the project that git has or would add, by their paths."""
    command = ["git", "-C", str(PROJECT), "ls-files", "-z", "--cached", "--others"]
    done = subprocess.run([*command, "--exclude-standard"], capture_output=True, check=True)
    names = [name for name in done.stdout.decode().split("\0") if name]
    files = {name: PROJECT / name for name in names if not any(part in name for part in NOT_OURS)}
    return {
        name: file.read_text(encoding="utf-8", errors="replace")
        for name, file in files.items()
        if file.is_file()
    }


def _metaphors(texts: dict[str, str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if METAPHORS.search(line)
    ]


def test_texts_use_the_words_of_the_field() -> None:
    """Code, tests, data and documents."""
    assert [] == _metaphors(_texts())


def test_a_metaphor_is_noticed() -> None:
    """With the file and the line."""
    text = "fine\na r" + "oom of its own\n"

    assert ["a.py:2: a r" + "oom of its own"] == _metaphors({"a.py": text})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Each relative link is to a file, and to a heading of it where it names one."""
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", each).lower().replace(" ", "-") for each in headings]
            assert heading in anchors, target


def test_guarantees_are_shown_by_tests_that_exist() -> None:
    """Each test and file that docs/guarantees.md names."""
    text = (PROJECT / "docs/guarantees.md").read_text()
    code = "".join(file.read_text() for file in (PROJECT / "tests").rglob("*.py"))
    files = {file.name for file in (PROJECT / "tests").rglob("*.py")}
    names = set(re.findall(r"`(test_\w+)`", text))

    assert len(names) > 20
    assert [] == [name for name in sorted(names) if f"def {name}(" not in code]
    assert set(re.findall(r"`(?:tests/[\w/]+/)?(test_\w+\.py)`", text)) <= files


def test_readme_is_a_tour() -> None:
    """It begins with the two commands, and can be read in one go."""
    text = (PROJECT / "README.md").read_text()

    assert text.index("./bootstrap invoke build") < text.index("./bootstrap nox") < 900
    assert len(text.splitlines()) < 200


def test_readme_has_a_row_for_each_dist() -> None:
    """With its C library, the level of its x86_64 processors, and the end of its maintenance."""
    text = (PROJECT / "README.md").read_text()
    for dist in load.dists(PROJECT):
        root = load.build_root(PROJECT, dist)
        level = root.machine["x86_64"].isa
        start = f"| {dist} | {root.glibc} | {'all' if level == 'x86-64' else level} |"
        assert re.search(rf"(?m)^{re.escape(start)}.* \| {root.support.until} \|$", text), dist
