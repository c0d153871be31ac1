"""The checks of debug information: a good package passes, and every fault is named."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from pipeline.checks.debuginfo import check_debuginfo
from pipeline.model import Image
from tests.unit.checks.case import Case
from tests.unit.checks.conftest import BUILD_ID, PACKAGER, entry

RELEASE = "1.2-3.el5"
NAME = "mimalloc-test-debug"
RPM = f"{NAME}-{RELEASE}.x86_64.rpm"
FOLDER, SOURCES = "/usr/debug", f"/usr/src/mimalloc-test-{RELEASE}.x86_64"
FILE, SOURCE = f"{FOLDER}/{BUILD_ID[:2]}/{BUILD_ID[2:]}.debug", f"{SOURCES}/src/a.c"
BUILT_IN = f"debuginfo(build-id) = {BUILD_ID}"
PROVIDED = (f"{NAME} = {RELEASE}", f"{NAME}(x86-64) = {RELEASE}", BUILT_IN)
MEMORY = {".text": "8 bytes at 0x100", "segment 0, PT_LOAD": "0x5 0x0"}
TABLES = frozenset({".symtab", ".debug_info", ".debug_line", ".debug_aranges", ".comment"})


@dataclass(frozen=True)
class Debug:
    """A package of debug information to check, and the images that are compared."""

    case: Case
    library: Image
    debug: Image

    def messages(self) -> list[str]:
        """A line for every finding, as the user sees it."""
        findings = check_debuginfo(self.case.facts, self.case.plan, self.library, self.debug)
        return [" ".join(finding.lines()) for finding in findings]

    def with_image(self, **changes: object) -> "Debug":
        """The same, but for something of the debug information."""
        return replace(self, debug=replace(self.debug, **changes))  # type: ignore[arg-type]

    def with_case(self, change: Callable[[Case], Case]) -> "Debug":
        """The same, but for something of the package."""
        return replace(self, case=change(self.case))

    def with_paths(self, *paths: str) -> "Debug":
        """The same, with these paths, files and folders alike."""
        files = tuple(entry(path, 0o100644) for path in paths)
        return self.with_case(lambda case: case.with_header(files=files))


PATHS = [FOLDER, f"{FOLDER}/{BUILD_ID[:2]}", FILE, SOURCES, f"{SOURCES}/src", SOURCE]


@pytest.fixture
def good_debug(good: Case) -> Debug:
    """Debug information with nothing wrong."""
    tags = {"NAME": NAME, "SUMMARY": "of mimalloc-test", "DESCRIPTION": "debug mimalloc-test"}
    modes = [0o040755, 0o040755, 0o100644, 0o040755, 0o040755, 0o100644]
    header = replace(
        good.facts.header,
        tags={**good.facts.header.tags, **tags},
        provides=PROVIDED,
        requires=("rpmlib(PayloadIsXz) <= 5.2-1",),
        scriptlets={},
        files=tuple(map(entry, PATHS, modes)),
    )
    facts = replace(good.facts, file_name=RPM, header=header, library=None, texts={})
    library = Image(BUILD_ID, MEMORY, frozenset({".comment"}), frozenset())
    debug = Image(BUILD_ID, dict(MEMORY), TABLES, frozenset({SOURCE, "/usr/h/stdio.h"}))
    return Debug(Case(facts, good.plan, ()), library, debug)


def test_nothing_is_wrong_with_a_good_one(good_debug: Debug) -> None:
    """Without a fault there is no finding."""
    assert [] == good_debug.messages()


LIBRARY = "libmimalloc.so.1.2"
MANIFEST = f"manifest: {RPM}: expected the %d paths of the manifest of 1.2 el5 x86_64, got:"
PROVIDES = f"metadata: Provides: expected {', '.join(sorted(PROVIDED))}, got"


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (
            lambda debug: debug.with_image(memory={**MEMORY, ".text": "9 bytes at 0x100"}),
            [f"image: .text of {LIBRARY}: expected 8 bytes at 0x100, got 9 bytes at 0x100"],
        ),
        (
            lambda debug: debug.with_image(memory={".text": MEMORY[".text"], ".data": "x"}),
            [
                f"image: .data of {LIBRARY}: expected none, got x",
                f"image: segment 0, PT_LOAD of {LIBRARY}: expected 0x5 0x0, got none",
            ],
        ),
        (
            lambda debug: debug.with_image(tables=frozenset({".debug_info", ".debug_line"})),
            [
                f"image: debug information of {LIBRARY}: expected {name}, got none"
                for name in (".symtab", ".debug_aranges")
            ],
        ),
        (
            lambda debug: debug.with_image(sources=frozenset({SOURCE, "/root/zig/stdio.h"})),
            ["sources: a file in the debug information: expected /usr/..., got /root/zig/stdio.h"],
        ),
        (
            lambda debug: debug.with_image(sources=frozenset({SOURCE, f"{SOURCES}/b/b.c"})),
            [
                f"{MANIFEST % 8}   --- manifest   +++ package   @@ -2,7 +2,5 @@    {PATHS[1]}"
                f"    {FILE}    {SOURCES}   -{SOURCES}/b   -{SOURCES}/b/b.c"
                f"    {SOURCES}/src    {SOURCE}"
            ],
        ),
        (
            lambda debug: debug.with_paths(*PATHS, "/usr/x"),
            [
                f"{MANIFEST % 6}   --- manifest   +++ package   @@ -4,3 +4,4 @@    {SOURCES}"
                f"    {SOURCES}/src    {SOURCE}   +/usr/x",
            ],
        ),
        (
            lambda debug: debug.with_case(lambda case: case.with_facts(file_name="x.rpm")),
            [f"nevra: file name: expected {RPM}, got x.rpm"],
        ),
        (
            lambda debug: debug.with_case(lambda case: case.with_tags(NAME="a", SUMMARY="b")),
            [
                f"metadata: NAME: expected {NAME}, got a",
                "metadata: SUMMARY: expected of mimalloc-test, got b",
            ],
        ),
        (
            lambda debug: debug.with_case(lambda case: case.with_tags(DESCRIPTION="c")),
            ["metadata: DESCRIPTION: expected debug mimalloc-test, got c"],
        ),
        (
            lambda debug: debug.with_case(lambda case: case.with_header(provides=())),
            [f"{PROVIDES} nothing"],
        ),
        (
            lambda debug: debug.with_case(
                lambda case: case.with_header(provides=(*PROVIDED, "libmimalloc.so.1()(64bit)"))
            ),
            [f"{PROVIDES} {', '.join(sorted((*PROVIDED, 'libmimalloc.so.1()(64bit)')))}"],
        ),
        (
            lambda debug: debug.with_case(lambda case: case.with_header(requires=("libc.so.6",))),
            [f"requires: {RPM}: expected rpm only, got Requires: libc.so.6"],
        ),
        (
            lambda debug: debug.with_case(lambda case: case.with_tags(RECOMMENDNAME="gdb")),
            [
                f"requires: {RPM.removesuffix('.rpm')}: "
                "expected no dependency but Requires, got Recommends: gdb"
            ],
        ),
        (
            lambda debug: debug.with_case(lambda case: case.with_header(scriptlets={"post": "x"})),
            ["scriptlets: %post: expected none, got x"],
        ),
        (
            lambda debug: debug.with_case(lambda case: case.with_tags(PAYLOADFLAGS="2")),
            ["features: payload: expected w9.xzdio, got w2.xzdio"],
        ),
        (
            lambda debug: debug.with_case(lambda case: case.with_facts(host_names=(("x", "box"),))),
            ["host_names: x: expected no path or name of the build host, got box"],
        ),
        (
            lambda debug: debug.with_case(lambda case: case.with_file(SOURCE, mode=0o100600)),
            [f"modes: mode of {SOURCE}: expected 0644, got 0600"],
        ),
        (
            lambda debug: debug.with_case(lambda case: case.with_header(changelog=())),
            [
                "metadata: newest changelog entry: expected 2001-09-10 "
                f"{PACKAGER} - 1.2-3: Newest change; And another, got none"
            ],
        ),
    ],
)
def test_a_fault_is_named(
    good_debug: Debug, spoil: Callable[[Debug], Debug], expected: list[str]
) -> None:
    """With its subject, what was expected, and what is there."""
    assert expected == spoil(good_debug).messages()
