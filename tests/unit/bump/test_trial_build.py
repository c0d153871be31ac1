"""What is read of packages that were built: the logs of their checks."""

from pathlib import Path

from pipeline.build import make
from pipeline.bump import trial_build
from pipeline.bump.scratch import scratch_checkout
from pipeline.model import Options
from pipeline.system import workspace
from tests.unit.bump.conftest import OLD


def test_the_logs_of_all_checks_so_far_are_read(root: Path) -> None:
    """Packages whose check has not run have none."""
    with scratch_checkout(workspace.locate(root), OLD, "", Options()) as scratch:
        assert [] == trial_build.check_logs(scratch)
        log = make.step_dirs(scratch.plans()[-1], scratch.workspace).log("check")
        log.parent.mkdir(parents=True)
        log.write_bytes(b"aligned: \xff\n")

        assert ["aligned: \ufffd\n"] == trial_build.check_logs(scratch)
