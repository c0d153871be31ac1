"""rpmlint on packages and specs; the settings explain every complaint that is filtered."""

import subprocess

from pipeline.build import make
from pipeline.system import workspace
from tests.build.conftest import EVERY, ROOT, Package, Which, of_each

SETTINGS = ROOT / "tests" / "rpmlint.toml"


@of_each(EVERY)
def test_package_and_spec_are_clean(package: Package, rpmlint: str, which: Which) -> None:
    """In strict mode nothing is left after the filters."""
    built = package(*which)
    folder = make.step_dirs(built.plan, workspace.locate(ROOT)).folder("package")
    files = [built.rpm.with_name(name) for name in built.plan.file_names]
    done = subprocess.run(
        [rpmlint, "--strict", "-c", str(SETTINGS), *map(str, [*files, *folder.glob("*.spec")])],
        capture_output=True,
        text=True,
        check=False,
    )

    summary = f"{len(files)} packages and 1 specfiles checked; 0 errors, 0 warnings"
    assert summary in done.stdout, done.stdout
    assert 0 == done.returncode
