"""`invoke manifest`: `rpm -qlp` of packages, compared with their manifests."""

from pathlib import Path

import pytest

from pipeline.config import load
from tests.build.conftest import EVERY, ROOT, Package, Which, invoke_in, of_each, share_steps


@of_each(EVERY)
def test_package_lists_its_manifest(package: Package, which: Which) -> None:
    """Path for path, and in the same order."""
    built = package(*which)
    lists = load.manifests(ROOT, built.plan)

    flags = [f"--{name}={value}" for name, value in which._asdict().items()]
    done = invoke_in(ROOT, "manifest", *flags)

    assert 0 == done.returncode, done.stderr
    lines = (
        f"  {name}: {len(paths)} paths, as in its manifest"
        for name, paths in zip(built.plan.file_names, lists, strict=True)
    )
    assert [built.plan.nevra, *lines] == done.stdout.splitlines()


def test_another_list_is_shown_as_a_diff(package: Package, checkout: Path) -> None:
    """A missing path and an additional one have their signs; exit code 28."""
    built = package("3.4.3", "el8")
    folder = checkout / "dist" / "el8" / built.plan.arch
    folder.mkdir(parents=True)
    (folder / built.rpm.name).write_bytes(built.rpm.read_bytes())
    file = checkout / "recipes" / "manifests" / "3.4.3.txt"
    file.write_text(file.read_text().replace("mimalloc.pc", "mimalloc3.pc"))

    done = invoke_in(checkout, "manifest", "--version", "3.4.3", "--dist", "el8")

    assert 28 == done.returncode
    installed = "/usr/local/nginx-dep/lib64/pkgconfig"
    assert f"  -{installed}/mimalloc3.pc\n  +{installed}/mimalloc.pc\n" in done.stderr
    assert str(file) in done.stderr


@pytest.mark.parametrize("dist", ["el7", "el8"])
def test_manifests_are_written(package: Package, checkout: Path, dist: str) -> None:
    """They are those of all dists: with a build-id's links, which the rpm of EL7 does not make."""
    package("3.4.3", dist)
    share_steps(checkout)
    folder = checkout / "recipes" / "manifests"
    for name in ("3.4.3.txt", "nginx.txt"):
        (folder / name).unlink()

    done = invoke_in(checkout, "manifest", "--write", "--version", "3.4.3", "--dist", dist)

    assert 0 == done.returncode, done.stderr
    ours = ROOT / "recipes" / "manifests"
    assert {file.name: file.read_text() for file in ours.iterdir()} == {
        file.name: file.read_text() for file in folder.iterdir()
    }
