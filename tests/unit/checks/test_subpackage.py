"""The checks of the sub-package: a good one passes, and every fault is named."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.checks.subpackage import check_subpackage
from pipeline.model import Flavor
from tests.unit.checks.case import Case
from tests.unit.checks.conftest import SUBPACKAGE, entry

FOLDER = "/etc/units/web.service.d"
FILE = f"{FOLDER}/own.conf"
RELOAD = "[ ! -d /run/systemd/system ] || systemctl daemon-reload >/dev/null 2>&1 || :"
LICENSES = "/usr/share/licenses/mimalloc-test-web"
RELEASE = "1.2-3.el5"
NAME = f"mimalloc-test-web-{RELEASE}.noarch.rpm"
PROGRAM = "/usr/bin/web-tool"
LINE, SETTING = "Environment=LD_PRELOAD=/opt/dep/lib64/libmimalloc.so", "Environment=MIMALLOC_X=0"
TEXTS = {FILE: f"# why\n[Service]\n{LINE}\n{SETTING}\n", PROGRAM: "#!/bin/sh\n"}


@pytest.fixture
def subpackage(good: Case) -> Case:
    """A sub-package with nothing wrong."""
    plan = replace(good.plan, flavor=Flavor(subpackage=(SUBPACKAGE,)))
    header = replace(
        good.facts.header,
        tags={
            **good.facts.header.tags,
            "NAME": "mimalloc-test-web",
            "ARCH": "noarch",
            "PLATFORM": "noarch-some-linux",
            "SUMMARY": "web on 1.2",
            "DESCRIPTION": "mimalloc-test for web",
        },
        provides=(f"mimalloc-test-web = {RELEASE}",),
        requires=(f"mimalloc-test = {RELEASE}", "/bin/sh", "rpmlib(PayloadIsXz) <= 5.2-1"),
        files=(
            *(entry(FOLDER, 0o040755), entry(FILE, 0o100644), entry(PROGRAM, 0o100711)),
            entry(LICENSES, 0o040755),
            replace(entry(f"{LICENSES}/LICENSE", 0o100644), is_license=True),
        ),
        scriptlets={},
    )
    facts = replace(
        good.facts,
        file_name=NAME,
        header=header,
        library=None,
        texts=TEXTS,
    )
    return Case(facts, plan, (FOLDER, FILE, PROGRAM, LICENSES, f"{LICENSES}/LICENSE"))


def messages(case: Case) -> list[str]:
    """A line for every finding, as the user sees it."""
    (planned,) = case.plan.subpackages
    findings = check_subpackage(case.facts, case.plan, planned, case.manifest, TEXTS)
    return [" ".join(finding.lines()) for finding in findings]


def test_nothing_is_wrong_with_a_good_one(subpackage: Case) -> None:
    """Without a fault there is no finding."""
    assert [] == messages(subpackage)


def _texts(text: str) -> Callable[[Case], Case]:
    return lambda case: case.with_facts(texts={**TEXTS, FILE: text})


OTHER = f"{LINE}.2"
CONTENT = f"content: {FILE}: expected the generated drop-in, got another content"
TOOL = f"content: {PROGRAM}: expected recipes/tools/web, got another content"

REQUIRED = f"mimalloc-test = {RELEASE}"
SET = f"dropin: {FILE}: expected [Service] {LINE} {SETTING}, got"
PROVIDED = f"metadata: Provides: expected mimalloc-test-web = {RELEASE}, got"


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (
            lambda case: case.with_facts(file_name="x.rpm"),
            [f"nevra: file name: expected {NAME}, got x.rpm"],
        ),
        (
            lambda case: case.with_tags(NAME="other"),
            ["metadata: NAME: expected mimalloc-test-web, got other"],
        ),
        (
            lambda case: case.with_tags(ARCH="x86_64"),
            ["metadata: ARCH: expected noarch, got x86_64"],
        ),
        (
            lambda case: case.with_tags(PLATFORM="x86_64-some-linux"),
            ["metadata: PLATFORM: expected noarch-some-linux, got x86_64-some-linux"],
        ),
        (lambda case: case.with_tags(EPOCH="1"), ["metadata: EPOCH: expected none, got 1"]),
        (lambda case: case.with_header(provides=()), [f"{PROVIDED} nothing"]),
        (lambda case: case.with_header(provides=("a", "b")), [f"{PROVIDED} a, b"]),
        (
            lambda case: case.with_tags(PAYLOADFLAGS="2"),
            ["features: payload: expected w9.xzdio, got w2.xzdio"],
        ),
        (
            lambda case: case.with_facts(host_names=(("x", "box"),)),
            ["host_names: x: expected no path or name of the build host, got box"],
        ),
        (
            lambda case: case.with_file(FILE, mode=0o100755),
            [f"modes: mode of {FILE}: expected 0644, got 0755"],
        ),
        (
            lambda case: case.with_file(PROGRAM, mode=0o100755),
            [f"modes: mode of {PROGRAM}: expected 0711, got 0755"],
        ),
        (lambda case: case.with_facts(texts={}), [CONTENT, TOOL, f"{SET} no such file"]),
        (lambda case: case.with_facts(texts={**TEXTS, PROGRAM: "#!/bin/bash\n"}), [TOOL]),
        (_texts(""), [CONTENT, f"{SET} nothing"]),
        (_texts(f"[Service]\n{OTHER}\n"), [CONTENT, f"{SET} [Service] {OTHER}"]),
        (_texts(f"[Service]\n{LINE}\n"), [CONTENT, f"{SET} [Service] {LINE}"]),
        (
            _texts(f"[Service]\n{LINE}\n{SETTING}\n{OTHER}\n"),
            [CONTENT, f"{SET} [Service] {LINE} {SETTING} {OTHER}"],
        ),
        (_texts(f"# how\n[Service]\n{LINE}\n{SETTING}\n"), [CONTENT]),
        (
            lambda case: case.with_header(requires=("mimalloc-test", "/bin/sh")),
            [
                f"requires: {NAME}: expected Requires: {REQUIRED}, got none",
                f"requires: {NAME}: expected /bin/sh, {REQUIRED}, got Requires: mimalloc-test",
            ],
        ),
        (
            lambda case: case.with_header(requires=(REQUIRED,)),
            [f"requires: {NAME}: expected Requires: /bin/sh, got none"],
        ),
        (
            lambda case: case.with_tags(SUGGESTNAME="nginx"),
            [
                f"requires: {NAME.removesuffix('.rpm')}: expected no dependency but Requires,"
                " got Suggests: nginx"
            ],
        ),
        (
            lambda case: case.with_header(scriptlets={"post": f"/bin/sh: {RELOAD}"}),
            [f"scriptlets: %post: expected none, got /bin/sh: {RELOAD}"],
        ),
    ],
)
def test_a_fault_is_named(
    subpackage: Case, spoil: Callable[[Case], Case], expected: list[str]
) -> None:
    """By the check that is for it, and by no other."""
    assert expected == messages(spoil(subpackage))


def test_a_list_with_another_path_is_shown_as_a_diff(subpackage: Case) -> None:
    """As that of the package is."""
    (line,) = messages(replace(subpackage, manifest=subpackage.manifest[:-1]))

    assert line.startswith(f"manifest: {NAME}: expected the 4 paths")
    assert line.endswith(f"+{subpackage.manifest[-1]}")


def test_scriptlets_are_demanded_of_a_dist_without_triggers(subpackage: Case) -> None:
    """Both, of a shell, and nothing in them but the reload."""
    older = subpackage.with_root(reload="scriptlets")
    assert [
        f"scriptlets: %post: expected /bin/sh: {RELOAD}, got none",
        f"scriptlets: %postun: expected /bin/sh: {RELOAD}, got none",
        f"requires: {NAME}: expected Requires: systemd, got none",
    ] == messages(older)
    scriptlets = dict.fromkeys(("post", "postun"), f"/bin/sh: {RELOAD}")
    needs = (REQUIRED, "/bin/sh", "systemd")
    good = older.with_header(scriptlets=scriptlets, requires=needs)
    assert [] == messages(good)

    more = {**scriptlets, "post": f"/bin/sh: {RELOAD}\nsystemctl restart web"}
    (line,) = messages(good.with_header(scriptlets=more))

    assert line.endswith("systemctl restart web")

    (line,) = messages(good.with_header(scriptlets=scriptlets, requires=(*needs, "nginx")))
    expected = f"/bin/sh, {REQUIRED}, systemd"
    assert f"requires: {NAME}: expected {expected}, got Requires: nginx" == line


def test_the_changelog_is_the_package_s(subpackage: Case) -> None:
    """Its newest entry is of this release."""
    (line,) = messages(subpackage.with_header(changelog=()))
    assert line.startswith("metadata: newest changelog entry: expected 2001-09-10 ")


def test_one_without_a_unit_needs_nothing_but_a_shell(subpackage: Case) -> None:
    """It has no drop-in, works with any release, and systemd need not know of it."""
    one = replace(SUBPACKAGE, unit="", file=SUBPACKAGE.file[1:])
    plan = replace(subpackage.plan, flavor=Flavor(subpackage=(one,)))
    tool = replace(subpackage, plan=plan).with_root(reload="scriptlets")

    assert [] == messages(tool.with_header(requires=("/bin/sh",)))
    assert [
        f"requires: {NAME}: expected /bin/sh, got Requires: {REQUIRED}",
    ] == messages(tool)

    data = replace(one, file=())
    plan = replace(subpackage.plan, flavor=Flavor(subpackage=(data,)))
    case = replace(subpackage, plan=plan).with_header(requires=("/bin/sh",))
    (line,) = messages(case.with_file(PROGRAM, mode=0o100644))
    assert f"requires: {NAME}: expected none, got Requires: /bin/sh" == line
