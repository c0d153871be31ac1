"""`checks.switch`: a good sub-package passes, and each fault is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.checks import judge_switch
from pipeline.model import Facts, FileEntry, Flavor, Scriptlet, Switch
from tests.unit.checks.case import Case
from tests.unit.checks.conftest import TIME

FOLDER = "/etc/units/web.service.d"
FILE = f"{FOLDER}/own.conf"
RELOAD = "[ ! -d /run/systemd/system ] || systemctl daemon-reload >/dev/null 2>&1 || :"
SWITCH = Switch(
    suffix="-web",
    summary="web on {version}",
    description="{name} for web",
    unit="web.service",
    folder="/etc/units",
    file="own.conf",
    arch="noarch",
)
RELEASE = "1.2-3.el5"


@pytest.fixture
def switched(good: Case) -> Case:
    """A sub-package with nothing wrong."""
    plan = replace(good.plan, flavor=Flavor(switch=SWITCH))
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
        requires=(f"mimalloc-test = {RELEASE}", "rpmlib(PayloadIsXz) <= 5.2-1"),
        files=tuple(
            FileEntry(path, mode, "root", "root", TIME, 1)
            for path, mode in ((FOLDER, 0o040755), (FILE, 0o100644))
        ),
    )
    text = "# why\n[Service]\nEnvironment=LD_PRELOAD=/opt/dep/lib64/libmimalloc.so.1\n"
    facts = replace(
        good.facts,
        file_name=f"mimalloc-test-web-{RELEASE}.noarch.rpm",
        listing=(FOLDER, FILE),
        header=header,
        library=None,
        texts={FILE: text},
    )
    return Case(facts, plan, (FOLDER, FILE))


def told(case: Case) -> list[str]:
    """What is wrong with it: the check, and what it got."""
    return [
        f"{finding.check}: {finding.got}"
        for finding in judge_switch(case.facts, case.plan, case.manifest)
    ]


def test_nothing_is_wrong_with_a_good_one(switched: Case) -> None:
    """Without a fault there is no finding."""
    assert [] == told(switched)


def _texts(text: str) -> Callable[[Case], Case]:
    return lambda case: case.with_facts(texts={FILE: text})


LINE = "Environment=LD_PRELOAD=/opt/dep/lib64/libmimalloc.so.1"
OTHER = LINE.replace(".1", ".2")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda case: case.with_facts(file_name="x.rpm"), ["nevra: x.rpm"]),
        (lambda case: case.with_tags(NAME="other"), ["metadata: other"]),
        (lambda case: case.with_tags(ARCH="x86_64"), ["metadata: x86_64"]),
        (
            lambda case: case.with_tags(PLATFORM="x86_64-some-linux"),
            ["metadata: x86_64-some-linux"],
        ),
        (lambda case: case.with_tags(EPOCH="1"), ["metadata: 1"]),
        (lambda case: case.with_header(provides=()), ["metadata: nothing"]),
        (lambda case: case.with_header(changelog=()), ["metadata: none"]),
        (lambda case: case.with_tags(PAYLOADFLAGS="2"), ["features: xz 2"]),
        (lambda case: case.with_facts(traces=(("x", "box"),)), ["traces: box"]),
        (lambda case: case.with_file(FILE, mode=0o100755), ["modes: 0755"]),
        (lambda case: case.with_facts(texts={}), ["dropin: no such file"]),
        (_texts(""), ["dropin: nothing"]),
        (_texts(f"[Service]\n{OTHER}\n"), [f"dropin: [Service] {OTHER}"]),
        (_texts(f"[Service]\n{LINE}\n{OTHER}\n"), [f"dropin: [Service] {LINE} {OTHER}"]),
        (
            lambda case: case.with_header(requires=("mimalloc-test",)),
            ["requires: none", "requires: Requires: mimalloc-test"],
        ),
        (lambda case: case.with_tags(SUGGESTNAME="nginx"), ["requires: Suggests: nginx"]),
        (
            lambda case: case.with_header(scriptlets={"post": Scriptlet("/bin/sh", RELOAD)}),
            [f"scriptlets: /bin/sh: {RELOAD}"],
        ),
    ],
)
def test_a_fault_is_named(
    switched: Case, spoil: Callable[[Case], Case], expected: list[str]
) -> None:
    """By the check that is for it, and by no other."""
    assert expected == told(spoil(switched))


def test_a_list_with_another_path_is_shown_as_a_diff(switched: Case) -> None:
    """As that of the package is."""
    (line,) = told(replace(switched, manifest=(FOLDER,)))

    assert line.startswith("manifest: --- manifest")
    assert f"+{FILE}" in line


def test_scriptlets_are_demanded_of_a_dist_without_triggers(switched: Case) -> None:
    """Both, of a shell, and nothing in them but the reload."""
    older = switched.with_root(reload="scriptlets")
    assert 4 == len(told(older))
    scriptlets = {name: Scriptlet("/bin/sh", RELOAD) for name in ("post", "postun")}
    needs = (f"mimalloc-test = {RELEASE}", "/bin/sh", "systemd")
    good = older.with_header(scriptlets=scriptlets, requires=needs)
    assert [] == told(good)

    more = {**scriptlets, "post": Scriptlet("/bin/sh", f"{RELOAD}\nsystemctl restart web")}
    (line,) = told(good.with_header(scriptlets=more))

    assert line.endswith("systemctl restart web")


def test_a_flavor_without_a_switch_has_no_sub_package(switched: Case) -> None:
    """One that is there all the same is one too many."""
    facts: Facts = switched.facts
    plan = replace(switched.plan, flavor=Flavor())

    assert ["nevra: one"] == [f"{f.check}: {f.got}" for f in judge_switch(facts, plan, ())]
