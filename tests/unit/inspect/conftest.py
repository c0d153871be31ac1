"""Small RPMs, built by rpmbuild in the test, and small ELF files from fixtures/make.sh."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent / "fixtures"

MakeRpm = Callable[[str], Path]

SPEC = """
Name: fixture
Version: 1.2
Release: 3.el8
Summary: A package
License: MIT
URL: https://example.invalid
Vendor: fixture & sons <"vendor">
Packager: somebody <somebody@example.invalid>
BuildArch: noarch
Provides: other = 5
{tags}
%description
First line.
Second line.
{scriptlets}
%install
mkdir -p "$RPM_BUILD_ROOT/opt/fixture/lib"
cd "$RPM_BUILD_ROOT/opt/fixture/lib"
cp {library} libfixture.so.1.0
ln -s libfixture.so.1.0 libfixture.so.1
printf 'Libs: -lfixture\\n' > fixture.pc
printf 'made in /home/builder/work on box\\n' > note.txt
chmod 0755 libfixture.so.1.0
chmod 0640 note.txt
%files
%defattr(-,root,root,-)
/opt/fixture
%changelog
* Mon Nov 23 2026 somebody <somebody@example.invalid> - 1.2-3
- Newest change
- And another

* Sun Nov 22 2026 somebody <somebody@example.invalid> - 1.2-2
- Older change
"""


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of the libraries from fixtures/make.sh."""
    return FIXTURES


@pytest.fixture
def make_rpm(tmp_path: Path) -> MakeRpm:
    """A function that builds an RPM; its argument is added to the spec, tags before a ``%``."""

    def make(more: str = "") -> Path:
        tags, percent, scriptlets = more.partition("%")
        spec, library = tmp_path / "fixture.spec", FIXTURES / "good.so"
        text = SPEC.format(tags=tags, scriptlets=percent + scriptlets, library=library)
        spec.write_text(text)
        macros = {
            "_topdir": str(tmp_path / "top"),
            "_rpmdir": str(tmp_path),
            "_rpmfilename": "%%{NAME}-%%{VERSION}.rpm",
            "_buildhost": "box.example.invalid",
            "__os_install_post": "%{nil}",
            "_binary_payload": "w1.gzdio",
            "_binary_filedigest_algorithm": "8",
            "_changelog_trimtime": "0",
            "use_source_date_epoch_as_buildtime": "1",
            "clamp_mtime_to_source_date_epoch": "1",
            "_binaries_in_noarch_packages_terminate_build": "0",
        }
        defines = [part for name, value in macros.items() for part in ("-D", f"{name} {value}")]
        subprocess.run(
            ["rpmbuild", "-bb", *defines, str(spec)],
            check=True,
            capture_output=True,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": "1000000000"},
        )
        return tmp_path / "fixture-1.2.rpm"

    return make
