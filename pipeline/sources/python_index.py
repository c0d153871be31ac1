"""A Python source distribution, from the package index that pip is set up for."""

import ast
import os
import re
import shutil
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.model.errors import FetchError
from pipeline.system import process
from pipeline.system.report import Report, without_password


def obtain(requirement: str, part: Path, *, limit: int, report: Report) -> bool:
    """The archive as the host's index has it; it is neither built nor asked for its metadata."""
    # What unearth asks the index with, and lets through when there is no connection.
    from httpx2 import HTTPError, InvalidURL
    from unearth import PackageFinder
    from unearth.auth import MultiDomainBasicAuth
    from unearth.errors import UnpackError as IndexTrouble
    from unearth.fetchers import PyPIClient

    settings = dict(_pip_settings())
    asked = [] if settings.get("no-index") else [settings.get("index-url") or _default_index()]
    asked += settings.get("extra-index-url", "").split()
    trusted, certificates = settings.get("trusted-host", "").split(), settings.get("cert", "")
    try:
        context = ssl.create_default_context(cafile=certificates or None)
    except OSError as problem:
        raise FetchError(f"pip's certificates, {certificates}: {problem.strerror}") from problem
    trust = context if certificates else True
    try:
        with PyPIClient(trusted_hosts=trusted, verify=trust) as session:
            session.auth = MultiDomainBasicAuth(index_urls=asked)
            finder = PackageFinder(
                session,  # type: ignore[arg-type]  # its own client, which its types do not cover
                index_urls=asked,
                find_links=settings.get("find-links", "").split(),
                no_binary=[":all:"],
                ignore_compatibility=True,
            )
            best = finder.find_best_match(requirement, allow_yanked=True).best
    except (HTTPError, InvalidURL, IndexTrouble, OSError, ValueError) as problem:
        raise FetchError(
            f"{requirement}: the package index: {without_password(problem)}"
        ) from problem
    if best is None or best.link is None:
        raise FetchError(f"{requirement}: not on the package index that pip is set up for")
    if best.link.is_file:
        shutil.copyfile(best.link.file_path, part)
        return False
    # Its library takes time to load, and most runs have no use for it.
    from pipeline.system.download import download

    url = best.link.url_without_fragment
    return download(url, part, limit=limit, report=report, certificates=certificates)


def _pip_settings() -> Iterator[tuple[str, str]]:
    """What pip is set up with, from its files and from the environment, the strongest last."""
    told = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "XDG_"))}
    code, answer, complaint = process.attempt(
        [sys.executable, "-m", "pip", "config", "list"], env=told
    )
    if code != 0:
        last = "".join(complaint.splitlines()[-1:])
        raise FetchError("pip does not tell which index it asks", got=last, hint="./bootstrap")
    found = re.findall(r"^(\S+?)\.([a-z-]+)=(.*)$", answer, re.MULTILINE)
    for _, name, value in sorted(found, key=lambda entry: entry[0] == ":env:"):
        yield name, str(ast.literal_eval(value))


def _default_index() -> str:
    """The index that pip asks where nobody has set up another."""
    from pip._internal.models.index import PyPI

    return str(PyPI.simple_url)
