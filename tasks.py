"""The tasks of `invoke`, by group. What they do is in pipeline/."""

from invoke.collection import Collection

from cli import packages, publishing, releases, services

namespace = Collection(
    *(packages.smoke, packages.manifest, packages.verify, packages.list_),
    *(packages.doctor, packages.clean, publishing.sign, publishing.repo),
    *(releases.bump, releases.release, releases.edit, releases.profile),
    *(services.dropin, services.run, services.status, services.compare),
)
for _name, _purpose in packages.BUILD_TASKS.items():
    namespace.add_task(packages.build_task(_name, _purpose), default=_name == "build")
