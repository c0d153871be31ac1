"""The page on top of the repositories, in a real browser at the widths of a desk and of a phone."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.build.conftest import NEWEST, Package, untested
from tests.build.publisher import Publisher, serving

LOOK = Path(__file__).parent / "browser" / "look.html"
WIDTHS = ("1280", "390")

# No start page, no updates, no word to anybody; a sandbox cannot be had as root.
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --hide-scrollbars"
).split()

Look = Callable[[], dict[str, Any]]


@pytest.fixture
def chromium(tmp_path: Path) -> Callable[..., str]:
    """Runs Chromium; skips, loudly, where there is none."""
    program = shutil.which("chromium")
    if program is None:
        untested("the repository's page", "no chromium on this host")

    def run(*arguments: str) -> str:
        command = [program, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", *arguments]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=120
        ).stdout

    return run


@pytest.fixture
def look(package: Package, publisher: Publisher, chromium: Callable[..., str]) -> Iterator[Look]:
    """What is seen of a published page."""
    publisher.take(
        package("2.0.9", "el7"), package("2.0.9", "el8"), package(NEWEST, "el8"),
        package(NEWEST, "el8", flavor="secure"),
    )  # fmt: skip
    shutil.copy(LOOK, publisher.checkout)
    with serving(publisher.checkout) as url:
        publisher.publish(f"{url}/repository")

        def seen() -> dict[str, Any]:
            page = f"{url}/look.html?page=repository/index.html"
            printed = chromium("--virtual-time-budget=30000", "--dump-dom", page)
            found = re.search(r'<pre id="seen">(.*?)</pre>', printed, re.DOTALL)
            assert found, printed
            answer: dict[str, Any] = json.loads(html.unescape(found[1]) or "{}")
            return answer

        yield seen


def faults(seen: dict[str, Any]) -> set[str]:
    """What a person would stumble over."""
    found = set()
    for width in WIDTHS:
        view = seen[width]
        if max(view["folded"], view["unfolded"]) > 0:
            found.add(f"scrolls sideways at {width}")
        found |= {f"leads nowhere: {link}" for link in view["broken"]}
        found |= {f"wrong checksum: {name}" for name, right in view["sums"].items() if not right}
        if view["hidden"]:
            found.add(f"cannot be seen at {width}")
    return found


def test_a_person_finds_all_and_stumbles_over_nothing(look: Look, publisher: Publisher) -> None:
    """Every package with its checksum, every link good, no scrolling sideways, all to copy."""
    seen = look()

    assert set() == faults(seen)
    for width in WIDTHS:
        view = seen[width]
        assert ["Enterprise Linux 8", "Enterprise Linux 7", "Verify a download"] == view["dists"]
        assert {rpm.name for rpm in publisher.checkout.glob("dist/*/*/*.rpm")} == set(view["sums"])
        assert len(view["pasted"]) == len(view["buttons"]) > 3
        assert set(view["buttons"]) <= {"Copied", "Press Ctrl+C"}
        assert view["selected"].split() == view["pasted"][-1].split()


def test_what_is_to_be_pasted_is_what_is_served(look: Look, publisher: Publisher) -> None:
    """The address in each pair of install lines is that of a `.repo` file in the tree."""
    install = [text for text in look()[WIDTHS[0]]["pasted"] if "yum.repos.d" in text]

    files = [re.search(r"/repository/(\S+\.repo)", text) for text in install]
    assert {"el7/mimalloc-custom-v2.repo", "el8/mimalloc-custom-v2.repo",
            "el8/mimalloc-custom-v3.repo"} == {found[1] for found in files if found}  # fmt: skip
    for found in files:
        assert found
        assert (publisher.served / found[1]).is_file()
    tools = {text.splitlines()[-1] for text in install}
    assert {"yum install mimalloc-custom", "dnf install mimalloc-custom"} == tools


def test_what_a_person_would_stumble_over_is_seen(look: Look, publisher: Publisher) -> None:
    """The same look at a page that is too wide, with a dead link and a wrong checksum."""
    page = publisher.served / "index.html"
    text = page.read_text().replace(
        "<main>", f"<main><p style='white-space:pre'>{'wide ' * 99}</p>"
    )
    text = re.sub(r"(?<=<code>)[0-9a-f]{64}", "0" * 64, text, count=1)
    page.write_text(text.replace('href="RPM-GPG-KEY', 'href="no-such-key'))

    told = " ".join(sorted(faults(look())))

    for fault in ("leads nowhere: no-such-key", "wrong checksum", "scrolls sideways at 390"):
        assert fault in told
