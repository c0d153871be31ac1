"""The check step: gather the facts of the RPM, try its files, and judge."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from pipeline import recipes
from pipeline.checksum import sha256_of
from pipeline.errors import CheckError
from pipeline.model import Finding, Plan
from pipeline.report import Report
from pipeline.workspace import Site, place_text

_SHORTEST_HOST_NAME = 4


def run(plan: Plan, site: Site, report: Report) -> None:
    """Hold the RPM to its recipe and build root. Raises CheckError with every finding."""
    # The disassembler and the ELF reader take time to load: only when there is something to judge.
    from pipeline.checks import judge
    from pipeline.facts import gather, payload
    from pipeline.smoke import trials

    rpm = site.packages / plan.file_name
    checked = {name: sha256_of(site.packages / name) for name in plan.file_names}
    words = tuple(host_words(site))
    room = site.room("check")
    files = payload.unpack(rpm, room)
    # We disassemble while the programs run. Those are waited for here, where an interrupt arrives.
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(gather, rpm, room, library=plan.library, needles=words)
        # Without a library there is nothing to run, and that the trials are missing is a finding.
        there = payload.place(files, plan.library).is_file()
        ran = trials.run(plan, site) if there else ()
        facts = replace(reading.result(), trials=ran, required=trials.NAMES)
    findings = judge(facts, plan, recipes.manifest(site.workspace.root, plan))
    findings += _of_switch(plan, site, words)
    lines = [line for finding in findings for line in finding.lines()]
    with site.log("check").open("a", encoding="utf-8") as log:
        log.writelines(f"{trial.name}: {trial.output}\n" for trial in facts.trials)
        log.writelines(f"{line}\n" for line in lines)
    if findings:
        raise CheckError(
            f"{rpm.name} is not fit to leave: {len(findings)} finding(s)",
            detail="\n".join(lines),
            file=rpm,
            hint="rpm -qlp, rpm -qip and readelf -a show what the findings are about",
        )
    place_text("".join(f"{told}  {name}\n" for name, told in checked.items()), site.checked)


def _of_switch(plan: Plan, site: Site, words: tuple[str, ...]) -> list[Finding]:
    """What is wrong with the sub-package, where there is one."""
    from pipeline.checks import judge_switch
    from pipeline.facts import read

    if plan.switched is None:
        return []
    rpm, room = site.packages / plan.switched.file_name, site.room("check") / "switch"
    facts = read(rpm, room, library=plan.library, needles=words)
    return judge_switch(facts, plan, recipes.switch_manifest(site.workspace.root, plan))


def host_words(site: Site) -> Iterator[str]:
    """What must not be in a package: folders of the build, and the name of the host.

    A name that upstream's text or our spec holds is no trace: a host may be called ``linux``, or
    ``local``.
    """
    workspace = site.workspace
    for folder in (workspace.root, workspace.cache, Path.home()):
        if len(folder.parts) > 1:
            yield str(folder)
    name = socket.gethostname()
    texts = [*site.patched.rglob("*"), *site.room("package").glob("*.spec")]
    text = b"".join(file.read_bytes() for file in texts if file.is_file())
    if len(name) >= _SHORTEST_HOST_NAME and name.encode() not in text:
        yield name
