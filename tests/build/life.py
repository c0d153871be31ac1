"""A publisher of packages with one file each: what they hold is not looked at, nothing compiled."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifact import statement
from pipeline.artifact.provenance import PREDICATE, STATEMENT
from pipeline.publish import repository
from pipeline.system.checksum import sha256_of
from tests.build import rpm_spec
from tests.build.dnf_client import System
from tests.build.publisher import OWN, Publisher

NAME, NGINX = "mimalloc-custom", "mimalloc-custom-nginx"
OLD, NEW = "3.2.8", "3.4.3"

SPEC = """
Name: {name}
Version: {version}
Release: 1.{dist}
Summary: {name} of {version}
License: MIT
{tags}
%description
One file.
%install
mkdir -p "$RPM_BUILD_ROOT/usr/local/{name}"
echo {version} > "$RPM_BUILD_ROOT/usr/local/{name}/file"
%files
/usr/local/{name}
"""

Machine = tuple[str, str]
HERE: Machine = ("el8", "x86_64")


@dataclass(frozen=True)
class Life:
    """A publisher with keys of its own, and the address where it serves."""

    publisher: Publisher
    work: Path
    url: str

    def add(self, version: str, machine: Machine = HERE, key: str = OWN) -> None:
        """Puts the signed packages of a release for a machine into ``dist/``."""
        dist, arch = machine
        requires = "BuildArch: noarch\nRequires: mimalloc-custom = %{version}-%{release}"
        for name, tags in ((NAME, ""), (NGINX, requires)):
            text = SPEC.format(name=name, version=version, dist=dist, tags=tags)
            # Those of no architecture are the same for all: built once.
            folder = self.work / f"{name}-{version}-{dist}-{arch if name == NAME else 'noarch'}"
            rpm = next(folder.rglob("*.rpm"), None) or rpm_spec.build(
                text, folder, "--target", arch
            )
            target = self.publisher.checkout / "dist" / dist / arch / rpm.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(rpm, target)
            self.publisher.sign_by_hand(target, key)
            state(target)

    def serve(self, *, key: str = OWN, second: str = "", keep: int = 0) -> None:
        """What `invoke repo` does."""
        keys = [one and f"{one}@example.invalid" for one in (key, second)]
        repository.run(self.publisher.checkout, keys[0], self.url, keep, second_key=keys[1])

    def host(self, machine: Machine, as_root: list[str], name: str = "host") -> System:
        """A host with the repository of the line v3 of its dist."""
        scratch = self.work / name
        system = System(scratch / "root", scratch / "scratch", as_root)
        for folder in (system.root / "usr", system.scratch):
            folder.mkdir(parents=True)
        file = self.publisher.served / machine[0] / f"{NAME}-v3.repo"
        text = file.read_text().replace("$basearch", machine[1])
        (system.root / "etc" / "yum.repos.d").mkdir(parents=True)
        (system.root / "etc" / "yum.repos.d" / file.name).write_text(f"{text}\nbest=1\n")
        return system


def state(rpm: Path) -> None:
    """Writes a statement about a package, and its bill."""
    file, bill = statement.accompanying_files(rpm)
    bill.write_text("{}")
    digests = [{"digest": {"sha256": sha256_of(one)}} for one in (rpm, bill)]
    definition = {"internalParameters": {"key": ""}}
    details = {"byproducts": [digests[1]]}
    predicate = {"buildDefinition": definition, "runDetails": details}
    subject = [{"name": rpm.name, **digests[0]}]
    content = {"_type": STATEMENT, "predicateType": PREDICATE, "subject": subject}
    file.write_text(json.dumps({**content, "predicate": predicate}))
