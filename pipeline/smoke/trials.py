"""Probes, small C programs, compiled as a package was compiled, and tried on its files."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from pipeline.inspect import payload
from pipeline.model import Plan, Trial
from pipeline.model.errors import SmokeError
from pipeline.smoke import conformance, consumers, probe
from pipeline.smoke.conformance import Outcome
from pipeline.system import process
from pipeline.system.workspace import StepDirs
from pipeline.toolchain import emulator

# What probes are started with; their first lines say what it means. An emulator's own process does
# not stand a fork while it has threads, and takes memory of its own. It takes ten times as long, so
# `aligned` has fewer blocks there, of as many sizes, alignments and entry points.
ARGUMENTS = {
    "forks": ("400", "4", "10", "1"),
    "reclaimer": ("200", "64"),
    "sparse": ("64", "2"),
    "plugin": ("100",),
}
EMULATED = {
    "aligned": ("1",),
    "forks": ("50", "0"),
    "reclaimer": ("500", "64"),
    "sparse": ("512", "2"),
    "plugin": ("10",),
}

# Processes of the secure flavor whose blocks must lie differently.
PROCESSES = 3
_PLACES = re.compile(r" places (\w+)$", re.MULTILINE)

# The trials that every package must have passed; `conformance` adds one for each of its rules.
NAMES = ("aligned", "archive", "object", "conformance", "first-call", *ARGUMENTS)


def names(plan: Plan) -> tuple[str, ...]:
    """The trials that a package must have passed: `secure` is that of the secure flavor only."""
    return (*NAMES, *consumers.names(plan), *(("secure",) if plan.flavor.guards else ()))


def run(plan: Plan, dirs: StepDirs) -> tuple[Trial, ...]:
    """Try the unpacked library, preloaded, and what programs link with: archive and object."""
    objects = payload.place(dirs.unpacked, plan.objects)
    files = {"archive": objects / f"lib{plan.base}.a", "object": objects / f"{plan.base}.o"}
    # The aligned blocks take longest; meanwhile the others are compiled and run.
    with ThreadPoolExecutor(2) as pool:
        preloaded = pool.submit(_preloaded, plan, dirs)
        linked = {name: pool.submit(_linked, plan, dirs, name, files[name]) for name in files}
        started = pool.map(partial(_started, plan, dirs), ARGUMENTS)
        promised = [pool.submit(secure, plan, dirs)] if plan.flavor.guards else []
        built = pool.submit(consumers.run, plan, dirs)
        aligned = _aligned(plan, dirs)
        rules, first = {}, {}
        rules["preloaded"], first["preloaded"] = preloaded.result()
        links = []
        for name, future in linked.items():
            link, rules[name], first[name] = future.result()
            links.append(link)
    judged = conformance.rules(rules, plan.accepted)
    last = (future.result() for future in promised)
    others = (*built.result(), *last)
    return aligned, *links, *judged, conformance.first_call(first), *started, *others


def _aligned(plan: Plan, dirs: StepDirs) -> Trial:
    program, runner = _built("aligned", plan, dirs), emulator.runner(plan)
    variables = {"LD_PRELOAD": f"./{plan.soname}", "MIMALLOC_VERBOSE": "1"}
    given = EMULATED["aligned"] if runner else ()
    command = emulator.start([program, *given], variables, runner)
    level = f"secure level: {plan.flavor.level}"
    return probe.attempt("aligned", command, _libraries(plan, dirs), level)


def _preloaded(plan: Plan, dirs: StepDirs) -> tuple[Outcome, Outcome]:
    """Rules and first calls of the preloaded library."""
    folder, start = _libraries(plan, dirs), partial(_outcome, plan, dirs)
    program = _built("conformance", plan, dirs)
    target = dirs.folder("check") / "first_call.so"
    first = _built("first_call", plan, dirs, "-shared", "-fPIC", target=target)
    # Relative: the loader splits the variable at spaces and colons, which a path may have.
    library, constructor = f"./{plan.soname}", os.path.relpath(first, folder)
    return (
        start(program, conformance.ARGUMENT, LD_PRELOAD=library),
        start(program, LD_PRELOAD=f"{library}:{constructor}"),
    )


def _linked(plan: Plan, dirs: StepDirs, name: str, file: Path) -> tuple[Trial, Outcome, Outcome]:
    """The same of programs that are linked with a file, and whether its malloc is in use."""
    folder, start = dirs.folder("check"), partial(_outcome, plan, dirs)
    arguments = (probe.PROBES / "first_call.c", "-DLINKED", file)
    try:
        link = _built("linked", plan, dirs, file, target=folder / name)
        program = _built("conformance", plan, dirs, *arguments, target=folder / f"rules-{name}")
    except SmokeError as error:
        # The package is wrong; it is one finding among others.
        failed = Outcome(None, "", f"{error.what}\n{error.detail}")
        return Trial(name, False, failed.errors), failed, failed
    command = emulator.start([link], {}, emulator.runner(plan))
    trial = probe.attempt(name, command, _libraries(plan, dirs))
    return trial, start(program, conformance.ARGUMENT), start(program)


def _started(plan: Plan, dirs: StepDirs, name: str) -> Trial:
    """A probe on the library; the plugin's is not, but loads a plugin that is linked with it."""
    command, variables = [_built(name, plan, dirs)], {"LD_PRELOAD": f"./{plan.soname}"}
    if name == "plugin":
        command.append(dirs.folder("check") / "plugin.so")
        arguments = ("-DPLUGIN", "-shared", "-fPIC", _libraries(plan, dirs) / plan.soname)
        _built(name, plan, dirs, *arguments, target=command[1])
        variables = {"LD_LIBRARY_PATH": "."}
    runner = emulator.runner(plan)
    given = (EMULATED if runner else ARGUMENTS)[name]
    started = emulator.start([*command, *given], variables, runner)
    return probe.attempt(name, started, _libraries(plan, dirs))


def secure(plan: Plan, dirs: StepDirs) -> Trial:
    """What the secure flavor promises, in several processes."""
    start = partial(_outcome, plan, dirs, _built("secure", plan, dirs), plan.flavor.guards)
    done = [start(LD_PRELOAD=f"./{plan.soname}") for _ in range(PROCESSES)]
    lines = [line for run in done for line in (run.errors + run.output).splitlines()]
    lines += [f"exit code {run.code}" for run in done if run.code != 0]
    output = "\n".join(dict.fromkeys(lines))
    differ = len(set(_PLACES.findall(output))) == PROCESSES
    if not differ:
        output += "\nblocks lie to each other as in another process"
    passed = differ and all(run.code == 0 for run in done)
    return Trial("secure", passed, output)


def _libraries(plan: Plan, dirs: StepDirs) -> Path:
    return payload.place(dirs.unpacked, plan.package.libraries)


def _built(
    name: str, plan: Plan, dirs: StepDirs, *arguments: str | Path, target: Path | None = None
) -> Path:
    target = target or dirs.folder("check") / name
    return probe.compiled(name, plan, dirs.workspace, target, dirs.log("check"), *arguments)


def _outcome(
    plan: Plan, dirs: StepDirs, program: Path, *arguments: str, **variables: str
) -> Outcome:
    """Run a program in the folder of the library."""
    command = emulator.start([program, *arguments], variables, emulator.runner(plan))
    return Outcome(*process.attempt(command, cwd=_libraries(plan, dirs), timeout=probe.TIMEOUT))
