"""The check step: gather the facts of the RPMs, run their library, and judge both."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipeline.config import load
from pipeline.model import Finding, Plan
from pipeline.model.errors import CheckError
from pipeline.system.checksum import digest_of_files
from pipeline.system.report import Report
from pipeline.system.workspace import StepDirs


def inputs(plan: Plan, root: Path) -> object:
    """The manifests, and the programs that are run on the package."""
    from pipeline.smoke import probe

    # Python may have written a cache of byte code beside the probes.
    files = (*load.manifest_files(root, plan), *probe.PROBES.iterdir())
    return digest_of_files(filter(Path.is_file, files))


def run(plan: Plan, dirs: StepDirs, report: Report) -> None:
    """Check the RPMs against recipe and build root. Raises CheckError with every finding."""
    rpm = dirs.packages / plan.file_name
    findings = _findings(plan, dirs)
    if findings:
        raise CheckError(
            f"{rpm.name} does not pass the checks: {len(findings)} finding(s)",
            detail="\n".join(line for finding in findings for line in finding.lines()),
            file=rpm,
            hint="rpm -qlp, rpm -qip and readelf -a show what the findings are about,\n"
            f"{dirs.log('check')} what the programs printed",
        )


def _findings(plan: Plan, dirs: StepDirs) -> list[Finding]:
    """What is wrong with the package and its sub-packages; the log gets trials and findings."""
    # The disassembler and the ELF reader take time to load: only when there is something to judge.
    from pipeline.checks.package import check_package
    from pipeline.checks.subpackage import check_subpackage
    from pipeline.inspect import package, payload
    from pipeline.smoke import trials
    from pipeline.toolchain import spec

    root, rpm, folder = dirs.workspace.root, dirs.packages / plan.file_name, dirs.folder("check")
    names = tuple(package.names_of_host(dirs))
    files = payload.unpack(rpm, folder)
    # Disassemble while the programs run. Run them in this thread, where an interrupt arrives.
    with ThreadPoolExecutor(1) as pool:
        read = partial(package.read, library=plan.library, names=names)
        reading = pool.submit(read, rpm, folder, unpacked=True)
        # Without a library nothing can run, and the missing trials are a finding.
        has_library = payload.place(files, plan.library).is_file()
        done = trials.run(plan, dirs) if has_library else ()
        facts = replace(reading.result(), trials=done, required=trials.names(plan))
    manifest, *others = load.manifests(root, plan)
    findings = check_package(facts, plan, manifest)
    contents = spec.contents(plan, root)
    for subpackage, manifest in zip(plan.subpackages, others, strict=True):
        facts = read(dirs.packages / subpackage.file_name, dirs.of_subpackage(subpackage.name))
        findings += check_subpackage(facts, plan, subpackage, manifest, contents)
    with dirs.log("check").open("a", encoding="utf-8") as log:
        log.writelines(f"{trial.name}: {trial.output}\n" for trial in done)
        log.writelines(f"{line}\n" for finding in findings for line in finding.lines())
    return findings
