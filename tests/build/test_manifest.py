"""`rpm -qlp` of packages against their manifests, by the task that maintainers use."""

from __future__ import annotations

from pathlib import Path

from tests.build.conftest import EVERY, ROOT, Package, Which, invoke_in, of_each


@of_each(EVERY)
def test_package_lists_its_manifest(package: Package, which: Which) -> None:
    """Path for path, and in the same order."""
    built = package(*which)
    name = ".".join([which.version, which.dist, *(["secure"] if which.flavor == "secure" else [])])
    lines = (ROOT / "recipes" / "manifests" / f"{name}.txt").read_text().splitlines()

    asked = [word for name, value in which._asdict().items() for word in (f"--{name}", value)]
    done = invoke_in(ROOT, "manifest", *asked)

    assert 0 == done.returncode, done.stderr
    told = [built.plan.nevra, f"  {len(lines)} paths, as in the manifest"]
    if built.plan.subpackage:
        told.append(f"  2 paths, as in the manifest of {built.plan.subpackage.file_name}")
    assert told == done.stdout.splitlines()


def test_another_list_is_shown_as_a_diff(package: Package, checkout: Path) -> None:
    """A path too few and one too many stand there with their signs; exit code 28."""
    built = package("3.4.3", "el8")
    place = checkout / "dist" / "el8" / built.plan.arch
    place.mkdir(parents=True)
    (place / built.rpm.name).write_bytes(built.rpm.read_bytes())
    file = checkout / "recipes" / "manifests" / "3.4.3.el8.txt"
    file.write_text(file.read_text().replace("mimalloc.pc", "mimalloc3.pc"))

    done = invoke_in(checkout, "manifest", "--version", "3.4.3", "--dist", "el8")

    assert 28 == done.returncode
    folder = "/usr/local/nginx-dep/lib64/pkgconfig"
    assert f"  -{folder}/mimalloc3.pc\n  +{folder}/mimalloc.pc\n" in done.stderr
    assert str(file) in done.stderr
