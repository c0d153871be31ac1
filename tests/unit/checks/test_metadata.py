"""Checks of the header: names, texts, clock, and what the rpm of the dist can read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from pipeline.model import Entry, Flavor, Scriptlet
from tests.unit.checks.case import Case

NEVRA = "mimalloc-test-1.2-3.el5.x86_64"
PACKAGER = "somebody <somebody@example.invalid>"


@pytest.mark.parametrize(
    "name",
    ["mimalloc-test-1.2-3.x86_64.rpm", f"{NEVRA}.rpm.tmp", "mimalloc-test-1.2-3.el6.x86_64.rpm"],
)
def test_another_file_name_is_found(good: Case, name: str) -> None:
    """A missing dist tag, for one, or that of another dist."""
    (told,) = good.with_facts(file_name=name).told()
    assert f"nevra: file name: expected {NEVRA}.rpm, got {name}" == told


def test_a_header_of_another_package_is_found(good: Case) -> None:
    """A right file name does not make up for a wrong header."""
    told = good.with_tags(RELEASE="3.el6").told()
    got = NEVRA.replace("el5", "el6")
    assert f"nevra: header of {NEVRA}.rpm: expected {NEVRA}, got {got}" == told[0]


@pytest.mark.parametrize("name", ["NAME", "VERSION", "RELEASE", "ARCH"])
def test_a_header_without_a_name_is_found(good: Case, name: str) -> None:
    """What is not there is shown as nothing."""
    parts = {"NAME": "mimalloc-test", "VERSION": "1.2", "RELEASE": "3.el5", "ARCH": "x86_64"}
    got = "{NAME}-{VERSION}-{RELEASE}.{ARCH}".format(**{**parts, name: ""})
    told = good.without_tag(name).told()
    assert f"nevra: header of {NEVRA}.rpm: expected {NEVRA}, got {got}" == told[0]


def test_a_text_may_end_in_a_new_line(good: Case) -> None:
    """Rpm ends a description in one, or in none; all else counts."""
    text = "description of 1.2"
    assert [] == good.with_tags(DESCRIPTION=f"{text}\n").findings()
    for other in (f"{text} ", f"{text}X", f"\n{text}"):
        assert 1 == len(good.with_tags(DESCRIPTION=other).findings())


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("OS", "linux"),
        ("SUMMARY", "summary of 1.2"),
        ("DESCRIPTION", "description of 1.2"),
        ("URL", "https://example.invalid"),
        ("LICENSE", "MIT"),
        ("VENDOR", "vendor"),
        ("PACKAGER", PACKAGER),
        ("BUILDHOST", "host.invalid"),
        ("PLATFORM", "x86_64-some-linux"),
        ("BUILDTIME", "1000000000"),
        ("SOURCERPM", "mimalloc-test-1.2-3.el5.src.rpm"),
    ],
)
def test_another_tag_is_found(good: Case, tag: str, expected: str) -> None:
    """A tag with another value, and a tag that is not there."""
    told = f"metadata: {tag}: expected {expected}, got "
    assert [f"{told}other"] == good.with_tags(**{tag: "other"}).told()
    assert [f"{told}none"] == good.without_tag(tag).told()


def test_an_epoch_is_found(good: Case) -> None:
    """With one, no package without it could ever replace ours."""
    assert ["metadata: EPOCH: expected none, got 1"] == good.with_tags(EPOCH="1").told()


NEWEST = (
    "metadata: newest changelog entry: "
    f"expected 2001-09-10 {PACKAGER} - 1.2-3: Newest change; And another"
)


@pytest.mark.parametrize(
    "entry",
    [
        Entry(date(2001, 9, 11), f"{PACKAGER} - 1.2-3", "- Newest change\n- And another"),
        Entry(date(2001, 9, 10), f"{PACKAGER} - 1.2-2", "- Newest change\n- And another"),
        Entry(date(2001, 9, 10), PACKAGER, "- Newest change\n- And another"),
        Entry(date(2001, 9, 10), f"{PACKAGER} - 1.2-3", "- Newest change"),
    ],
)
def test_another_changelog_is_found(good: Case, entry: Entry) -> None:
    """The newest entry has the recipe's day, release and notes."""
    (told,) = good.with_header(changelog=(entry,)).told()
    notes = "; ".join(line.removeprefix("- ") for line in entry.text.splitlines())
    assert f"{NEWEST}, got {entry.day} {entry.author}: {notes}" == told


def test_a_missing_changelog_is_found(good: Case) -> None:
    """Rpmbuild leaves out entries that it finds too old."""
    assert [f"{NEWEST}, got none"] == good.with_header(changelog=()).told()


def test_a_changelog_may_name_the_dist(good: Case) -> None:
    """Both ways of writing a release are in use."""
    newest = good.facts.header.changelog[0]
    entry = replace(newest, author=f"{newest.author}.el5")
    assert [] == good.with_header(changelog=(entry,)).findings()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_package_provides_itself(good: Case, number: int) -> None:
    """Its soname, its name, its name with the machine: nothing finds it without."""
    provides = list(good.facts.header.provides)
    missing = provides.pop(number)
    (told,) = good.with_header(provides=tuple(provides)).told()
    assert f"metadata: {NEVRA}: expected Provides: {missing}, got none" == told


def test_a_package_provides_nothing_else(good: Case) -> None:
    """Another name would let ours stand in for packages that it cannot replace."""
    provides = (*good.facts.header.provides, "jemalloc")
    (told,) = good.with_header(provides=provides).told()
    names = [name for name in good.facts.header.provides if "pkgconfig" not in name]
    expected = ", ".join((*names[1:], names[0]))
    assert f"metadata: {NEVRA}: expected {expected}, got Provides: jemalloc" == told


def test_the_machine_of_aarch64_is_named_as_rpm_does(good: Case) -> None:
    """x86_64 is x86-64 to rpm, and aarch64 is aarch-64."""
    told = good.on("aarch64", processor="aarch64").told()
    assert any("Provides: mimalloc-test(aarch-64) = 1.2-3.el5" in line for line in told)


def test_a_level_of_an_architecture_is_the_same_machine_to_rpm(good: Case) -> None:
    """A package for x86_64_v2 has an architecture of its own, and is found as x86-64."""
    told = good.on("x86_64_v2", processor="x86_64").told()
    assert any("ARCH: expected x86_64_v2, got x86_64" in line for line in told)
    assert not any("Provides" in line for line in told)


def test_a_flavor_has_its_own_names(good: Case) -> None:
    """A secure package that calls itself by the plain one's name, file or soname is found."""
    told = good.as_flavor("secure", Flavor(level=4, suffix="-secure")).told()
    own = "libmimalloc-secure.so.1()(64bit)"
    for words in (
        f"nevra: file name: expected {NEVRA.replace('-test', '-test-secure')}.rpm, got {NEVRA}.rpm",
        "metadata: NAME: expected mimalloc-test-secure, got mimalloc-test",
        "Provides: mimalloc-test-secure(x86-64) = 1.2-3.el5, got none",
        f"Requires: {own}, got none",
        "soname of /opt/dep/lib64/libmimalloc-secure.so.1.2: expected libmimalloc-secure.so.1",
        "links: /opt/dep/lib64/libmimalloc-secure.so",
    ):
        assert any(words in line for line in told), (words, told)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"PAYLOADCOMPRESSOR": "zstd"}, "payload: expected xz 9, got zstd 9"),
        ({"PAYLOADFLAGS": "2"}, "payload: expected xz 9, got xz 2"),
        ({"PAYLOADFORMAT": "drpm"}, "payload format: expected cpio, got drpm"),
        ({"FILEDIGESTALGO": "10"}, "file digest algorithm: expected 8, got 10"),
    ],
)
def test_another_payload_is_found(good: Case, changes: dict[str, str], message: str) -> None:
    """The payload and its digests are those that the build root asks rpmbuild for."""
    assert [f"features: {message}"] == good.with_tags(**changes).told()


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("PAYLOADFORMAT", "payload format: expected cpio, got none"),
        ("PAYLOADCOMPRESSOR", "payload: expected xz 9, got none 9"),
        ("PAYLOADFLAGS", "payload: expected xz 9, got xz at no level"),
    ],
)
def test_a_payload_that_says_nothing_of_itself_is_found(good: Case, tag: str, message: str) -> None:
    """A tag that is not there is not a tag that is right."""
    assert [f"features: {message}"] == good.without_tag(tag).told()


@pytest.mark.parametrize(
    ("asked", "compressor", "flags"),
    [
        ("w9.xzdio", "xz", "9"),
        ("w6.gzdio", "gzip", "6"),
        ("w9.bzdio", "bzip2", "9"),
        ("w7.lzdio", "lzma", "7"),
        ("w19.zstdio", "zstd", "19"),
        ("w9T0.xzdio", "xz", "9T0"),
    ],
)
def test_a_payload_is_named_in_two_ways(
    good: Case, asked: str, compressor: str, flags: str
) -> None:
    """One in what rpmbuild is asked for, one in the tags of what it made."""
    case = good.with_macros(_binary_payload=asked)
    tags = {"PAYLOADCOMPRESSOR": compressor, "PAYLOADFLAGS": flags}
    assert [] == case.with_tags(**tags).findings()
    (told,) = case.with_tags(**{**tags, "PAYLOADFLAGS": "1"}).told()
    assert f"features: payload: expected {compressor} {flags}, got {compressor} 1" == told


def test_a_payload_of_an_unknown_kind_is_found(good: Case) -> None:
    """What cannot be held against the tags must not pass."""
    (told,) = good.with_macros(_binary_payload="w9.newdio").told()
    assert "features: payload: expected that of w9.newdio, got xz 9" == told


def test_a_dist_may_ask_for_no_payload(good: Case) -> None:
    """Then it is rpm's own matter, and that of its digests, too."""
    free = good.with_root(rpm=replace(good.plan.root.rpm, macros={}))
    tags = {"PAYLOADCOMPRESSOR": "zstd", "FILEDIGESTALGO": "10"}
    assert [] == free.with_tags(**tags).findings()


def test_digests_without_a_tag_are_md5(good: Case) -> None:
    """Rpm wrote no tag for its first algorithm."""
    (told,) = good.without_tag("FILEDIGESTALGO").told()
    assert "features: file digest algorithm: expected 8, got 1" == told


def test_a_feature_the_dist_lacks_is_named(good: Case) -> None:
    """Its rpm would refuse the package."""
    lacking = "rpmlib(PayloadIsZstd) <= 5.4.18-1"
    requires = (*good.facts.header.requires, lacking)
    (told,) = good.with_header(requires=requires).told()
    expected = "a feature that rpm 4.11 of el5 has"
    assert f"features: Requires: expected {expected}, got {lacking}" == told


SWEEP = Scriptlet("<lua>", "posix.rmdir('/opt/dep')")


def test_any_scriptlet_is_found(good: Case) -> None:
    """Nothing of ours is run as root, not even a mere program."""
    bad = good.with_header(scriptlets={"post": Scriptlet("/sbin/ldconfig", ""), "postun": SWEEP})
    assert [
        "scriptlets: %post: expected none, got -p /sbin/ldconfig",
        f"scriptlets: %postun: expected none, got {SWEEP.body}",
    ] == bad.told()


def test_a_swept_package_has_its_sweep(good: Case) -> None:
    """Where the recipe says so, Lua in %postun is right, and its absence is wrong."""
    swept = good.with_recipe(folders="swept")
    assert [] == swept.with_header(scriptlets={"postun": SWEEP}).findings()
    assert ["scriptlets: %postun: expected a scriptlet run by <lua>, got none"] == swept.told()


def test_a_sweep_needs_no_shell(good: Case) -> None:
    """A shell would be one more package that must be there."""
    shell = {"postun": Scriptlet("/bin/sh", "rmdir /opt/dep")}
    (told,) = good.with_recipe(folders="swept").with_header(scriptlets=shell).told()
    assert "scriptlets: %postun: expected a scriptlet run by <lua>, got /bin/sh" == told
