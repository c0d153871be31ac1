"""The sessions of `nox`. Plain `nox` runs those that CI runs.

Sessions share the environment that `./bootstrap` made from the locks, and the packages that were
built before: what one session has built, the next finds up to date.
"""

import nox

# Three at a time on two cores: most tests wait for one program, and some for the clock. Those of a
# file share what they set up; files go by their names, for those with few tests, which would come
# last, take longest.
PARALLEL = ("--numprocesses=3", "--dist=loadfile", "--no-loadscope-reorder")

SCRIPTS = (
    *("bootstrap", ".ci/apply-bump", ".ci/run", ".ci/with-key"),
    *("recipes/tools/mimalloc-custom", "tests/containers/install.sh"),
    "tests/selinux/session.sh",
)

nox.options.default_venv_backend = "none"
nox.options.sessions = [
    *("lint", "tests", "mutation", "build", "manifest", "smoke", "nginx", "rpmlint"),
    *("programs", "concurrency", "install", "reproduce", "faults"),
]


@nox.session
def lint(session: nox.Session) -> None:
    """Style and types, scripts and workflows."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("shellcheck", *SCRIPTS)
    session.run("zizmor", "--quiet", "--offline", ".github/workflows")


@nox.session
def tests(session: nox.Session) -> None:
    """Unit tests: no network, no compiler; and how much of the package they run."""
    _covered(session, "tests/unit", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Whether the tests notice small changes of the checks: a quarter, or all with `-- --full`."""
    session.run("python", "-m", "tests.mutation", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """How much of the package is run by unit tests and builds together."""
    _covered(session, "tests/unit", "tests/build")


def _covered(session: nox.Session, *arguments: str) -> None:
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *PARALLEL, *arguments)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def build(session: nox.Session) -> None:
    """Real sources, the real compiler, real rpmbuild; good packages and bad ones."""
    others = [
        *("manifest", "smoke", "nginx", "rpmlint", "install", "dnf", "life", "php", "reproduce"),
        *("programs", "concurrency", "originals", "enterprise", "services"),
    ]
    ignored = [f"--ignore=tests/build/test_{name}.py" for name in others]
    session.run("pytest", "tests/build", *PARALLEL, *ignored, *session.posargs)


@nox.session
def smoke(session: nox.Session) -> None:
    """Real programs on the library out of the RPM, and cases that must fail."""
    session.run("pytest", "tests/build/test_smoke.py", "--numprocesses=2", *session.posargs)


@nox.session
def programs(session: nox.Session) -> None:
    """Programs of a base system on the library: a sample of releases, or all with `-- --full`."""
    session.run("pytest", "tests/build/test_programs.py", *session.posargs)


@nox.session
def concurrency(session: nox.Session) -> None:
    """Threads, forks, plugins and memory on the library: a sample, or all with `-- --full`."""
    session.run("pytest", "tests/build/test_concurrency.py", *session.posargs)


@nox.session
def install(session: nox.Session) -> None:
    """Real rpm and dnf, with a repository on loopback, in scratch roots."""
    tests = [f"tests/build/test_{name}.py" for name in ("install", "originals", "dnf", "life")]
    session.run("pytest", *tests, *PARALLEL, *session.posargs)


@nox.session
def systemd(session: nox.Session) -> None:
    """A machine with systemd: dnf, nginx through upgrades and USR2, the tool. As root; minutes."""
    session.run("pytest", "tests/systemd", *session.posargs)


@nox.session
def php(session: nox.Session) -> None:
    """PHP of Debian 11, on a C library with malloc hooks, serves on the library."""
    session.run("pytest", "tests/build/test_php.py", *session.posargs)


@nox.session
def enterprise(session: nox.Session) -> None:
    """Packages and library in a root made of real packages: `-- --rpms FOLDER`, as root."""
    session.run("pytest", "tests/build/test_enterprise.py", *session.posargs)


@nox.session
def services(session: nox.Session) -> None:
    """Real services on the library: Debian's, and with `-- --rpms FOLDER` those of that folder."""
    session.run("pytest", "tests/build/test_services.py", *session.posargs)


@nox.session
def selinux(session: nox.Session) -> None:
    """nginx on the library under SELinux in enforcing mode, in an emulated machine: minutes."""
    session.run("pytest", "tests/selinux", *session.posargs)


@nox.session
def nginx(session: nox.Session) -> None:
    """A live nginx: status, run, and a sample of the comparison."""
    session.run("pytest", "tests/build/test_nginx.py", *session.posargs)


@nox.session
def manifest(session: nox.Session) -> None:
    """`rpm -qlp` of what is built against the manifests."""
    session.run("pytest", "tests/build/test_manifest.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Ratios: builds against a script, the library against other allocators."""
    for which in ("build", "grid", "library"):
        session.run("python", "-m", "benchmarks", which, *session.posargs)


@nox.session
def library(session: nox.Session) -> None:
    """What each release keeps of the C library's promises: docs/library.json and library.md."""
    session.run("python", "-m", "benchmarks", "promises")


@nox.session
def rpmlint(session: nox.Session) -> None:
    """rpmlint on packages and spec; tests/rpmlint.toml explains every filter."""
    session.run("pytest", "tests/build/test_rpmlint.py", *session.posargs)


@nox.session
def reproduce(session: nox.Session) -> None:
    """The same bytes in another environment: a sample of the packages, or all with `-- --full`."""
    session.run("pytest", "tests/build/test_reproduce.py", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Kills, full disks, hostile data and odd settings: a sample, or all with `-- --full`."""
    # Two at a time: each worker builds a project of its own first.
    session.run("pytest", "tests/faults", *PARALLEL, "--numprocesses=2", *session.posargs)
