"""`invoke manifest`: `rpm -qlp` of packages, compared with their manifests."""

from pathlib import Path

from tests.build.conftest import EVERY, ROOT, Package, Which, invoke_in, of_each


@of_each(EVERY)
def test_package_lists_its_manifest(package: Package, which: Which) -> None:
    """Path for path, and in the same order."""
    built = package(*which)
    name = ".".join([which.version, which.dist, *(["secure"] if which.flavor == "secure" else [])])
    lines = (ROOT / "recipes" / "manifests" / f"{name}.txt").read_text().splitlines()

    flags = [f"--{name}={value}" for name, value in which._asdict().items()]
    done = invoke_in(ROOT, "manifest", *flags)

    assert 0 == done.returncode, done.stderr
    output = [
        built.plan.nevra,
        f"  {built.plan.file_name}: {len(lines)} paths, as in its manifest",
    ]
    for planned in built.plan.subpackages:
        file = planned.name.removeprefix("mimalloc-custom-")
        count = len((ROOT / "recipes" / "manifests" / f"{file}.txt").read_text().splitlines())
        output.append(f"  {planned.file_name}: {count} paths, as in its manifest")
    assert output == done.stdout.splitlines()


def test_another_list_is_shown_as_a_diff(package: Package, checkout: Path) -> None:
    """A missing path and an additional one have their signs; exit code 28."""
    built = package("3.4.3", "el8")
    folder = checkout / "dist" / "el8" / built.plan.arch
    folder.mkdir(parents=True)
    (folder / built.rpm.name).write_bytes(built.rpm.read_bytes())
    file = checkout / "recipes" / "manifests" / "3.4.3.el8.txt"
    file.write_text(file.read_text().replace("mimalloc.pc", "mimalloc3.pc"))

    done = invoke_in(checkout, "manifest", "--version", "3.4.3", "--dist", "el8")

    assert 28 == done.returncode
    installed = "/usr/local/nginx-dep/lib64/pkgconfig"
    assert f"  -{installed}/mimalloc3.pc\n  +{installed}/mimalloc.pc\n" in done.stderr
    assert str(file) in done.stderr
