"""`publish.repository`: where it may be served, and what makes a new tree."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.model.errors import RequestError
from pipeline.publish import inventory, page, repository
from pipeline.publish.key import Key
from pipeline.publish.page import Context

NAME = "mimalloc-custom-3.4.3-1.el8.x86_64.rpm"


@pytest.fixture
def context(checkout: Path, tmp_path: Path, key: Key) -> Context:
    """A repository with one package."""
    (tmp_path / NAME).write_text("content")
    items = (inventory.read(tmp_path / NAME),)
    url = "https://packages.example.org/m"
    return Context(checkout, load.package(checkout), key, url, {("el8", "x86_64"): items})


def edit(name: str, old: str, new: str) -> Callable[[Context], Context]:
    """Edits a file of the checkout."""

    def run(context: Context) -> Context:
        file = context.root / name
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))
        return replace(context, package=load.package(context.root))

    return run


def rewrite(context: Context) -> Context:
    """Gives the package another signature."""
    context.inventory["el8", "x86_64"][0].file.write_text("other")
    return context


@pytest.mark.parametrize(
    "change",
    [
        rewrite,
        lambda context: replace(context, url="https://elsewhere.example.org"),
        lambda context: replace(context, key=replace(context.key, public="extended\n")),
        lambda context: replace(context, key=replace(context.key, fingerprint="F" * 40)),
        lambda context: replace(context, second=context.key),
        lambda context: replace(context, withdrawn={"3.4.3-1": "why"}),
        lambda context: replace(context, inventory={**context.inventory, ("el9", "x86_64"): ()}),
        edit("buildroot/el8.toml", 'title = "', 'title = "Another '),
        edit("buildroot/el8.toml", "until = 2", "until = 1"),
        edit("recipes/3.4.3.toml", '"libmimalloc.so.3', '"libmimalloc.so.4'),
        edit("recipes/package.toml", 'suffix = "-tools"', 'suffix = "-others"'),
    ],
)
def test_what_is_served_follows(context: Context, change: Callable[[Context], Context]) -> None:
    """Packages, keys, the page: a change of any of them makes a new tree, and nothing else does."""
    before = repository._key(context, page.texts(context))
    assert before == repository._key(context, page.texts(context))

    context = change(context)

    assert before != repository._key(context, page.texts(context))


@pytest.mark.parametrize(
    "url",
    [
        *("https://packages.example.org/m", "file:///srv/m", "http://127.0.0.1:8000/m"),
        *("http://127.9.9.9/", "http://localhost/m"),
    ],
)
def test_an_address_that_nobody_can_change(url: str) -> None:
    """By TLS, or as it does not leave the machine."""
    assert url.rstrip("/") == repository._address(url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://packages.example.org/m", "http://127.0.0.1@example.org/", "http://10.0.0.1/"),
        *("http://localhost.example.org/", "http://127.0.0.1.example.org/"),
    ],
)
def test_http_must_be_asked_for(url: str) -> None:
    """Whoever is in between could replace the public key."""
    with pytest.raises(RequestError, match="could replace it") as caught:
        repository._address(url)

    assert "--allow-http" in caught.value.hint
    assert url.rstrip("/") == repository._address(url, allow_http=True)
