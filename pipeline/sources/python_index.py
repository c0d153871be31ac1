"""A Python source distribution, from the package index that pip is set up for."""

import ast
import os
import re
import shutil
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.model.errors import FetchError
from pipeline.system import process
from pipeline.system.download import download
from pipeline.system.report import Report, without_password


def obtain(requirement: str, part: Path, *, limit: int, report: Report) -> None:
    """Put the archive into ``part``; unlike pip, run none of its code to read its metadata.

    Raises FetchError.
    """
    # These take time to load, and most runs have no use for them.
    from httpx2 import HTTPError
    from unearth import PackageFinder
    from unearth.auth import MultiDomainBasicAuth
    from unearth.fetchers import PyPIClient

    settings = _pip_settings()
    indexes, certificates = _indexes(settings), settings.get("cert", "")
    try:
        trust = ssl.create_default_context(cafile=certificates) if certificates else True
        hosts = settings.get("trusted-host", "").split()
        with PyPIClient(trusted_hosts=hosts, verify=trust) as session:
            session.auth = MultiDomainBasicAuth(prompting=False, index_urls=indexes)
            finder = PackageFinder(
                session,  # type: ignore[arg-type]  # unearth's own client does not match its types
                index_urls=indexes,
                find_links=settings.get("find-links", "").split(),
                no_binary=[":all:"],
                ignore_compatibility=True,
            )
            best = finder.find_best_match(requirement, allow_yanked=True).best
    except (HTTPError, OSError, ValueError) as problem:
        message = f"{requirement}: the package index: {without_password(problem)}"
        raise FetchError(message) from problem
    if best is None or best.link is None:
        raise FetchError(f"{requirement}: not on the package index that pip is set up for")
    if best.link.is_file:
        shutil.copyfile(best.link.file_path, part)
    else:
        url = _with_password(best.link.url_without_fragment, indexes)
        download(url, part, limit=limit, report=report, certificates=certificates)


def _indexes(settings: Mapping[str, str]) -> list[str]:
    from pip._internal.models.index import PyPI

    main = [] if settings.get("no-index") else [settings.get("index-url") or str(PyPI.simple_url)]
    return [*main, *settings.get("extra-index-url", "").split()]


def _with_password(url: str, indexes: Sequence[str]) -> str:
    """The URL with the user name and the password of the index on the same host."""
    for index in indexes:
        login, at, host = urlsplit(index).netloc.rpartition("@")
        if at and host == urlsplit(url).netloc:
            return url.replace("//", f"//{login}@", 1)
    return url


def _pip_settings() -> dict[str, str]:
    """The settings of pip from its files and from the environment, which takes precedence."""
    env = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "XDG_"))}
    argv = [sys.executable, "-m", "pip", "config", "list"]
    error = FetchError("pip does not list its settings", hint="./bootstrap")
    lines = re.findall(
        r"^(\S+?)\.([a-z-]+)=(.*)$", process.read(argv, error=error, env=env), re.MULTILINE
    )
    lines.sort(key=lambda line: line[0] == ":env:")
    return {name: str(ast.literal_eval(value)) for _, name, value in lines}
