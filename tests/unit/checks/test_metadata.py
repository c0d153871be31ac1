"""Checks of the header: names, texts, clock, and what the rpm of the dist can read."""

from dataclasses import replace

import pytest

from pipeline.model import Flavor
from tests.unit.checks.case import Case
from tests.unit.checks.conftest import PACKAGER, SWEEP

NEVRA = "mimalloc-test-1.2-3.el5.x86_64"


@pytest.mark.parametrize(
    "name",
    ["mimalloc-test-1.2-3.x86_64.rpm", f"{NEVRA}.rpm.tmp", "mimalloc-test-1.2-3.el6.x86_64.rpm"],
)
def test_another_file_name_is_found(good: Case, name: str) -> None:
    """Such as a missing dist tag, or that of another dist."""
    (message,) = good.with_facts(file_name=name).messages()
    assert f"nevra: file name: expected {NEVRA}.rpm, got {name}" == message


def test_a_header_of_another_package_is_found(good: Case) -> None:
    """A right file name does not make up for a wrong header."""
    messages = good.with_tags(RELEASE="3.el6").messages()
    got = NEVRA.replace("el5", "el6")
    assert f"nevra: header of {NEVRA}.rpm: expected {NEVRA}, got {got}" == messages[0]


@pytest.mark.parametrize("name", ["NAME", "VERSION", "RELEASE", "ARCH"])
def test_a_header_without_a_name_is_found(good: Case, name: str) -> None:
    """What is not there is shown as nothing."""
    parts = {"NAME": "mimalloc-test", "VERSION": "1.2", "RELEASE": "3.el5", "ARCH": "x86_64"}
    got = "{NAME}-{VERSION}-{RELEASE}.{ARCH}".format(**{**parts, name: ""})
    messages = good.without_tag(name).messages()
    assert f"nevra: header of {NEVRA}.rpm: expected {NEVRA}, got {got}" == messages[0]


def test_a_text_may_end_in_a_new_line(good: Case) -> None:
    """Versions of rpm differ in the newline at the end; all else counts."""
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
    prefix = f"metadata: {tag}: expected {expected}, got "
    assert [f"{prefix}other"] == good.with_tags(**{tag: "other"}).messages()
    assert [f"{prefix}none"] == good.without_tag(tag).messages()


def test_an_epoch_is_found(good: Case) -> None:
    """With an epoch, no package without it could ever replace ours."""
    assert ["metadata: EPOCH: expected none, got 1"] == good.with_tags(EPOCH="1").messages()


NEWEST = (
    "metadata: newest changelog entry: "
    f"expected 2001-09-10 {PACKAGER} - 1.2-3: Newest change; And another"
)


@pytest.mark.parametrize(
    "entry",
    [
        f"2001-09-11 {PACKAGER} - 1.2-3\n- Newest change\n- And another",
        f"2001-09-10 {PACKAGER} - 1.2-2\n- Newest change\n- And another",
        f"2001-09-10 {PACKAGER}\n- Newest change\n- And another",
        f"2001-09-10 {PACKAGER} - 1.2-3\n- Newest change",
    ],
)
def test_another_changelog_is_found(good: Case, entry: str) -> None:
    """The newest entry has the recipe's day, release and notes."""
    (message,) = good.with_header(changelog=(entry,)).messages()
    first, *notes = entry.splitlines()
    assert f"{NEWEST}, got {first}: {'; '.join(note[2:] for note in notes)}" == message


def test_a_missing_changelog_is_found(good: Case) -> None:
    """Rpmbuild leaves out entries that it finds too old."""
    assert [f"{NEWEST}, got none"] == good.with_header(changelog=()).messages()


def test_a_changelog_may_name_the_dist(good: Case) -> None:
    """Both ways of writing a release are in use."""
    entry = good.facts.header.changelog[0].replace("1.2-3\n", "1.2-3.el5\n")
    assert [] == good.with_header(changelog=(entry,)).findings()


@pytest.mark.parametrize("number", [0, 1])
def test_a_package_provides_itself(good: Case, number: int) -> None:
    """Its name, and its name with the machine: nothing finds it without."""
    provides = list(good.facts.header.provides)
    missing = provides.pop(number)
    (message,) = good.with_header(provides=tuple(provides)).messages()
    assert f"metadata: {NEVRA}: expected Provides: {missing}, got none" == message


@pytest.mark.parametrize("name", ["jemalloc", "libmimalloc.so.1()(64bit)"])
def test_a_package_provides_nothing_else(good: Case, name: str) -> None:
    """It would stand in for packages whose library the loader finds, and its own it does not."""
    provides = (*good.facts.header.provides, name)
    (message,) = good.with_header(provides=provides).messages()
    names = [name for name in good.facts.header.provides if "pkgconfig" not in name]
    assert f"metadata: {NEVRA}: expected {', '.join(names)}, got Provides: {name}" == message


def test_the_machine_of_aarch64_is_named_as_rpm_does(good: Case) -> None:
    """x86_64 is x86-64 to rpm, and aarch64 is aarch-64."""
    messages = good.on("aarch64", processor="aarch64").messages()
    assert any("Provides: mimalloc-test(aarch-64) = 1.2-3.el5" in line for line in messages)


def test_a_level_of_an_architecture_is_the_same_machine_to_rpm(good: Case) -> None:
    """A package for x86_64_v2 has an architecture of its own, and provides x86-64."""
    messages = good.on("x86_64_v2", processor="x86_64").messages()
    assert any("ARCH: expected x86_64_v2, got x86_64" in line for line in messages)
    assert not any("Provides" in line for line in messages)


def test_a_flavor_has_its_own_names(good: Case) -> None:
    """Name, file or soname of the plain package are wrong in a secure package."""
    messages = good.as_flavor("secure", Flavor(level=4, suffix="-secure")).messages()
    for words in (
        f"nevra: file name: expected {NEVRA.replace('-test', '-test-secure')}.rpm, got {NEVRA}.rpm",
        "metadata: NAME: expected mimalloc-test-secure, got mimalloc-test",
        "Provides: mimalloc-test-secure(x86-64) = 1.2-3.el5, got none",
        "expected /usr/share/licenses/mimalloc-test-secure/LICENSE, got /usr/share/licenses/mimal",
        "soname of /opt/dep/lib64/libmimalloc-secure.so.1.2: expected libmimalloc-secure.so.1",
        "links: /opt/dep/lib64/libmimalloc-secure.so",
    ):
        assert any(words in line for line in messages), (words, messages)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"PAYLOADCOMPRESSOR": "zstd"}, "payload: expected w9.xzdio, got w9.zstdio"),
        ({"PAYLOADFLAGS": "2"}, "payload: expected w9.xzdio, got w2.xzdio"),
        ({"PAYLOADFORMAT": "drpm"}, "payload format: expected cpio, got drpm"),
        ({"FILEDIGESTALGO": "10"}, "file digest algorithm: expected 8, got 10"),
    ],
)
def test_another_payload_is_found(good: Case, changes: dict[str, str], message: str) -> None:
    """The payload and its digests are those that the build root asks rpmbuild for."""
    assert [f"features: {message}"] == good.with_tags(**changes).messages()


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("PAYLOADFORMAT", "payload format: expected cpio, got none"),
        ("PAYLOADCOMPRESSOR", "payload: expected w9.xzdio, got w9.nonedio"),
        ("PAYLOADFLAGS", "payload: expected w9.xzdio, got w.xzdio"),
    ],
)
def test_a_payload_that_says_nothing_of_itself_is_found(good: Case, tag: str, message: str) -> None:
    """A tag that is not there is not a tag that is right."""
    assert [f"features: {message}"] == good.without_tag(tag).messages()


@pytest.mark.parametrize(
    ("macro", "compressor", "flags"),
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
    good: Case, macro: str, compressor: str, flags: str
) -> None:
    """The macro of rpmbuild and the tags of the package have names of their own."""
    case = good.with_macros(_binary_payload=macro)
    tags = {"PAYLOADCOMPRESSOR": compressor, "PAYLOADFLAGS": flags}
    assert [] == case.with_tags(**tags).findings()
    (message,) = case.with_tags(**{**tags, "PAYLOADFLAGS": "1"}).messages()
    assert f"features: payload: expected {macro}, got w1.{macro.partition('.')[2]}" == message


def test_a_payload_of_an_unknown_kind_is_found(good: Case) -> None:
    """What cannot be held against the tags must not pass."""
    (message,) = good.with_macros(_binary_payload="w9.newdio").messages()
    assert "features: payload: expected w9.newdio, got w9.xzdio" == message


def test_a_dist_may_ask_for_no_payload(good: Case) -> None:
    """Then it is rpm's own matter, and that of its digests, too."""
    free = good.with_root(rpm=replace(good.plan.root.rpm, macros={}))
    tags = {"PAYLOADCOMPRESSOR": "zstd", "FILEDIGESTALGO": "10"}
    assert [] == free.with_tags(**tags).findings()


def test_digests_without_a_tag_are_md5(good: Case) -> None:
    """Rpm wrote no tag for its first algorithm."""
    (message,) = good.without_tag("FILEDIGESTALGO").messages()
    assert "features: file digest algorithm: expected 8, got 1" == message


def test_a_feature_the_dist_lacks_is_named(good: Case) -> None:
    """Its rpm would refuse the package."""
    lacking = "rpmlib(PayloadIsZstd) <= 5.4.18-1"
    requires = (*good.facts.header.requires, lacking)
    (message,) = good.with_header(requires=requires).messages()
    expected = "a feature that rpm 4.11 of el5 has"
    assert f"features: Requires: expected {expected}, got {lacking}" == message


def test_any_scriptlet_is_found(good: Case) -> None:
    """Nothing of ours is run as root, not even a mere program."""
    bad = good.with_header(scriptlets={"post": "/sbin/ldconfig", "postun": SWEEP})
    assert ["scriptlets: %post: expected none, got /sbin/ldconfig"] == bad.messages()


def test_a_package_removes_its_folders(good: Case) -> None:
    """It does not own the topmost one, so Lua in %postun is right, and its absence is wrong."""
    bad = good.with_header(scriptlets={})
    assert ["scriptlets: %postun: expected a scriptlet run by <lua>, got none"] == bad.messages()


def test_a_sweep_needs_no_shell(good: Case) -> None:
    """A shell would be another package to install."""
    shell = {"postun": "/bin/sh: rmdir /opt/dep"}
    (message,) = good.with_header(scriptlets=shell).messages()
    assert (
        "scriptlets: %postun: expected a scriptlet run by <lua>, got /bin/sh: rmdir /opt/dep"
        == message
    )
