"""The check step: gather the facts of the RPM, try its files, and judge."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from pipeline.config import load
from pipeline.model import Finding, Plan
from pipeline.model.errors import CheckError
from pipeline.system.checksum import digest_of_files, sha256_of
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs, place_text

_SHORTEST_HOST_NAME = 4


def inputs(plan: Plan, root: Path) -> object:
    """The manifests, and the programs that are run on the package."""
    from pipeline.smoke import probe

    return load.manifests_digest(root, plan), digest_of_files(probe.PROBES.iterdir())


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Hold the RPM to its recipe and build root. Raises CheckError with every finding."""
    # The disassembler and the ELF reader take time to load: only when there is something to judge.
    from pipeline.checks import judge
    from pipeline.inspect import gather, payload
    from pipeline.smoke import trials

    rpm = dirs.packages / plan.file_name
    checked = {name: sha256_of(dirs.packages / name) for name in plan.file_names}
    words = tuple(host_words(dirs))
    folder = dirs.folder("check")
    files = payload.unpack(rpm, folder)
    # We disassemble while the programs run. Those are waited for here, where an interrupt arrives.
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(gather, rpm, folder, library=plan.library, needles=words)
        # Without a library there is nothing to run, and that the trials are missing is a finding.
        there = payload.place(files, plan.library).is_file()
        ran = trials.run(plan, dirs) if there else ()
        facts = replace(reading.result(), trials=ran, required=trials.NAMES)
    findings = judge(facts, plan, load.manifest(dirs.workspace.root, plan))
    findings += _of_subpackage(plan, dirs, words)
    lines = [line for finding in findings for line in finding.lines()]
    with dirs.log("check").open("a", encoding="utf-8") as log:
        log.writelines(f"{trial.name}: {trial.output}\n" for trial in facts.trials)
        log.writelines(f"{line}\n" for line in lines)
    if findings:
        raise CheckError(
            f"{rpm.name} is not fit to leave: {len(findings)} finding(s)",
            detail="\n".join(lines),
            file=rpm,
            hint="rpm -qlp, rpm -qip and readelf -a show what the findings are about",
        )
    place_text("".join(f"{told}  {name}\n" for name, told in checked.items()), dirs.checked)


def _of_subpackage(plan: Plan, dirs: StepDirs, words: tuple[str, ...]) -> list[Finding]:
    """What is wrong with the sub-package, where there is one."""
    from pipeline.checks import judge_subpackage
    from pipeline.inspect import read

    if plan.subpackage is None:
        return []
    rpm, folder = dirs.packages / plan.subpackage.file_name, dirs.folder("check") / "switch"
    facts = read(rpm, folder, library=plan.library, needles=words)
    return judge_subpackage(facts, plan, load.subpackage_manifest(dirs.workspace.root, plan))


def host_words(dirs: StepDirs) -> Iterator[str]:
    """What must not be in a package: folders of the build, and the name of the host.

    A name that upstream's text or our spec holds is no trace: a host may be called ``linux``, or
    ``local``.
    """
    workspace = dirs.workspace
    for folder in (workspace.root, workspace.cache, Path.home()):
        if len(folder.parts) > 1:
            yield str(folder)
    name = socket.gethostname()
    texts = [*dirs.patched.rglob("*"), *dirs.folder("package").glob("*.spec")]
    text = b"".join(file.read_bytes() for file in texts if file.is_file())
    if len(name) >= _SHORTEST_HOST_NAME and name.encode() not in text:
        yield name
