"""Stand-ins for the packages made by hand: their names, releases and paths, and no folder owned."""

from pathlib import Path

from tests.build import rpm_spec

SPEC = """
Name: mimalloc-custom
Version: {version}
Release: 1.{dist}
Summary: mimalloc-custom-{version} for centminmod.com LEMP stack installs
License: unknown
URL: https://centminmod.com
%description
mimalloc-custom-{version} for centminmod.com LEMP stacks
%install
cp -a {stage}/. "$RPM_BUILD_ROOT"
%files
%defattr(-,root,root,-)
{files}
"""

PREFIX = "/usr/local/nginx-dep"
CMAKE = ("-config-version", "-config", "-release", "")
HEADERS = ("mimalloc-new-delete.h", "mimalloc-override.h", "mimalloc.h")

# The first packages had the paths of ours, the later ones have everything at the top of `lib`.
LAYOUTS = {
    "lib64": ("include/mimalloc-2.0", "lib64/cmake/mimalloc-2.0", "lib64", "lib64/mimalloc-2.0"),
    "lib": ("include", "lib/cmake/mimalloc", "lib", "lib"),
}


def listing(layout: str, version: str) -> list[str]:
    """The paths of the files and links in a package made by hand."""
    headers, cmake, libraries, archives = LAYOUTS[layout]
    minor = version.rpartition(".")[0]
    more = [f"{libraries}/pkgconfig/mimalloc.pc"] if minor != "2.0" else []
    return [
        *(f"{headers}/{name}" for name in HEADERS),
        *(f"{cmake}/mimalloc{name}.cmake" for name in CMAKE),
        *(f"{libraries}/libmimalloc.so{end}" for end in ("", ".2", f".{minor}")),
        *(f"{archives}/{name}" for name in ("libmimalloc.a", "mimalloc.o")),
        *more,
    ]


def build(layout: str, version: str, dist: str, work: Path) -> Path:
    """The RPM, of the same name, version, release and architecture as ours."""
    stage, paths = work / "stage" / PREFIX[1:], listing(layout, version)
    library = f"libmimalloc.so.{version.rpartition('.')[0]}"
    for path in map(stage.joinpath, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name in ("libmimalloc.so", "libmimalloc.so.2"):
            path.symlink_to("libmimalloc.so.2" if path.suffix == ".so" else library)
        else:
            path.write_text(f"made by hand: {path.name}\n")
            path.chmod(0o755 if path.name == library else 0o644)
    files = "\n".join(f"{PREFIX}/{path}" for path in paths)
    text = SPEC.format(version=version, dist=dist, stage=work / "stage", files=files)
    return rpm_spec.build(text, work / "original", "--target", "x86_64")
