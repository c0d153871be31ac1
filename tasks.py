"""What `invoke` can be asked: a list of the doors. What happens behind them is in pipeline/."""

from __future__ import annotations

from invoke.collection import Collection

from doors import making, pinning, publishing, running

namespace = Collection(
    *(making.smoke, making.manifest, making.verify, making.list_, making.doctor, making.clean),
    *(publishing.sign, publishing.repo),
    *(pinning.bump, pinning.release),
    *(running.dropin, running.run, running.status, running.compare),
)
namespace.add_task(making.making("build", making.BUILD), default=True)
namespace.add_task(making.making("srpm", making.SRPM))
for _name, _purpose in making.PURPOSES.items():
    namespace.add_task(making.making(_name, _purpose))
