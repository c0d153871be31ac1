"""`publish.signing`: whom users can write to."""

from pathlib import Path

import pytest

from pipeline.model.errors import SignError
from pipeline.publish import signing


@pytest.mark.parametrize(
    "packager",
    ["A B <packages@publisher.test>", "https://publisher.test/issues", "a@examples.org", "a@b.net"],
)
def test_a_contact(packager: str) -> None:
    """An address or a URL."""
    signing.check_contact(Path("package.toml"), packager)


@pytest.mark.parametrize(
    "packager",
    [
        "mimalloc-custom maintainers <maintainers@mimalloc-custom.invalid>",
        "packager@example.org",
        "Packager <packager@mail.Example.COM>",
        "packager@packages.example",
        "https://packages.example.net/contact",
        "root@localhost",
        "root@host.localhost.",
        "somebody",
        "",
    ],
)
def test_no_contact(packager: str) -> None:
    """A name that is reserved for examples, or none."""
    with pytest.raises(SignError) as caught:
        signing.check_contact(Path("recipes/package.toml"), packager)

    assert "package.toml names a packager whom nobody can write to" == caught.value.what
    assert (packager or "none") == caught.value.got
    assert "set packager in recipes/package.toml" in caught.value.hint
