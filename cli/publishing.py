"""Tasks about what others get: signatures, and repositories."""

from invoke.context import Context

from cli.command import ROOT, command, number


@command(help={"key": "ID, fingerprint or address of a secret key that gpg knows"})
def sign(c: Context, key: str) -> None:
    """Sign every finished package."""
    from pipeline.publish import signing

    signing.run(ROOT, key)


@command(
    help={
        "key": "the key that the packages are signed with",
        "url": "where the tree will be served, such as https://packages.example.org/mimalloc",
        "keep": "how many versions of each package of a line stay (default: all)",
        "second-key": "the next or the last key, while hosts change over: it is served, too",
        "allow-http": "serve at http:// although others on the way could replace the public key",
    }
)
def repo(
    c: Context, key: str, url: str, keep: str = "", second_key: str = "", allow_http: bool = False
) -> None:
    """Lay out signed packages as repositories for dnf and yum, with a page on top."""
    from pipeline.publish import repository

    kept = number("keep", keep)
    repository.run(ROOT, key, url, kept, second_key=second_key, allow_http=allow_http)
