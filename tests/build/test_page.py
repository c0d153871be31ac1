"""The page of the repositories, in Chromium at the widths of a desktop and of a phone."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.build.conftest import NEWEST, Package
from tests.build.publisher import Publisher, serving
from tests.tally import untested

INSPECTION = Path(__file__).parent / "browser" / "inspect.html"
WIDTHS = ("1280", "390")

# No start page, no updates, no other connections; as root, there is no sandbox.
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --hide-scrollbars"
).split()

Inspect = Callable[[], dict[str, Any]]


@pytest.fixture
def chromium(tmp_path: Path) -> Callable[..., str]:
    """Runs Chromium; skips, and says so, if there is none."""
    program = shutil.which("chromium")
    if program is None:
        untested("the repository's page", "no chromium on this host")

    def run(*arguments: str) -> str:
        command = [program, *OPTIONS, f"--user-data-dir={tmp_path / 'profile'}", *arguments]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=120
        ).stdout

    return run


@pytest.fixture
def inspect(
    package: Package, publisher: Publisher, chromium: Callable[..., str]
) -> Iterator[Inspect]:
    """Inspects a published page."""
    publisher.take(
        package("2.0.9", "el7"), package("2.0.9", "el8"), package(NEWEST, "el8"),
        package(NEWEST, "el8", flavor="secure"),
    )  # fmt: skip
    shutil.copy(INSPECTION, publisher.checkout)
    with serving(publisher.checkout) as url:
        publisher.publish(f"{url}/repository")

        def run() -> dict[str, Any]:
            page = f"{url}/{INSPECTION.name}?page=repository/index.html"
            output = chromium("--virtual-time-budget=30000", "--dump-dom", page)
            match = re.search(r'<pre id="result">(.*?)</pre>', output, re.DOTALL)
            assert match, output
            results: dict[str, Any] = json.loads(html.unescape(match[1]) or "{}")
            return results

        yield run


def defects(results: dict[str, Any]) -> set[str]:
    """The defects of a page, at each width."""
    defects = set()
    for width in WIDTHS:
        result = results[width]
        if max(result["folded"], result["unfolded"]) > 0:
            defects.add(f"scrolls sideways at {width}")
        defects |= {f"broken link: {link}" for link in result["broken"]}
        sums = result["sums"].items()
        defects |= {f"wrong checksum: {name}" for name, is_right in sums if not is_right}
        if result["hidden"]:
            defects.add(f"hidden text at {width}")
    return defects


def test_the_page_is_complete_and_has_no_defects(inspect: Inspect, publisher: Publisher) -> None:
    """Each package with its checksum, no broken link, no scrolling sideways, commands to copy."""
    results = inspect()

    assert set() == defects(results)
    for width in WIDTHS:
        result = results[width]
        headings = [
            "Enterprise Linux 8",
            "Enterprise Linux 7",
            "Run nginx on it",
            "Verify a download",
        ]
        assert headings == result["dists"]
        packages = {rpm.name for rpm in publisher.checkout.glob("dist/*/*/*.rpm")}
        assert packages == set(result["sums"])
        assert len(result["commands"]) == len(result["buttons"]) > 3
        assert set(result["buttons"]) <= {"Copied", "Press Ctrl+C"}
        assert result["selected"].split() == result["commands"][-1].split()


def test_the_commands_name_files_that_are_served(inspect: Inspect, publisher: Publisher) -> None:
    """Each pair of install commands has the address of a `.repo` file in the tree."""
    install = [text for text in inspect()[WIDTHS[0]]["commands"] if "yum.repos.d" in text]

    matches = [re.search(r"/repository/(\S+\.repo)", text) for text in install]
    files = {match[1] for match in matches if match}
    assert len(install) == sum(1 for match in matches if match)
    assert {
        "el7/mimalloc-custom-v2.repo",
        "el8/mimalloc-custom-v2.repo",
        "el8/mimalloc-custom-v3.repo",
    } == files
    for file in files:
        assert (publisher.served / file).is_file()
    tools = {text.splitlines()[-1] for text in install}
    assert {"yum install mimalloc-custom", "dnf install mimalloc-custom"} == tools


def test_defects_are_detected(inspect: Inspect, publisher: Publisher) -> None:
    """A page that is too wide, with a broken link and a wrong checksum."""
    page = publisher.served / "index.html"
    text = page.read_text().replace(
        "<main>", f"<main><p style='white-space:pre'>{'wide ' * 99}</p>"
    )
    text = re.sub(r"(?<=<code>)[0-9a-f]{64}", "0" * 64, text, count=1)
    page.write_text(text.replace('href="RPM-GPG-KEY', 'href="no-such-key'))

    result = " ".join(sorted(defects(inspect())))

    for defect in ("broken link: no-such-key", "wrong checksum", "scrolls sideways at 390"):
        assert defect in result
