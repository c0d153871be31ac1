"""Tasks about what others get: signatures, and repositories."""

from invoke.context import Context
from invoke.tasks import task

from cli.command import ROOT, command


@task(help={"key": "ID, fingerprint or address of a secret key that gpg knows"})
@command
def sign(c: Context, key: str) -> None:
    """Sign every finished package."""
    from pipeline.publish import signing

    signing.run(ROOT, key)


@task(
    help={
        "key": "the key that the packages are signed with",
        "url": "where the tree will be found, such as https://packages.example.org/mimalloc",
        "keep": "how many versions of each package stay (default: all)",
    }
)
@command
def repo(c: Context, key: str, url: str, keep: str = "") -> None:
    """Lay out signed packages as repositories for dnf and yum, with a page on top."""
    from pipeline.publish import serving

    serving.run(ROOT, key, url, keep)
