"""Download a URL to a file, through broken connections and busy servers."""

import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from pipeline.model.errors import FetchError
from pipeline.system.report import Report, without_password

if TYPE_CHECKING:
    import requests

# Seconds to connect, and seconds between two chunks.
TIMEOUT = (10, 30)

# Seconds between two tries.
PAUSES = (0.5, 1.0, 2.0, 4.0)

# Seconds until the headers must be complete, and after which a download must have had a minimum
# rate, in bytes a second: a slow modem is faster.
_GRACE, _MINIMUM_RATE = 60, 1024

_CHUNK = 1 << 16


class _TemporaryError(Exception):
    """A failure after which another try makes sense."""


def download(
    url: str,
    part: Path,
    *,
    limit: int,
    report: Report,
    certificates: str = "",
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Download at most ``limit`` bytes into ``part``, and resume it if it is there already.

    Tries again after a 5xx answer and after a broken connection, never after a 4xx answer.
    ``certificates`` is a file of them to trust instead of the usual ones. Raises FetchError.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    for seconds in (*PAUSES, None):
        try:
            _transfer(url, part, limit, report, certificates)
            return
        except _TemporaryError as problem:
            message = f"{without_password(url)}: {problem}"
            if seconds is None:
                raise FetchError(message, got=f"{len(PAUSES) + 1} tries failed") from problem
            report.line(f"  {message}; trying again")
            pause(seconds)


def _transfer(url: str, part: Path, limit: int, report: Report, certificates: str) -> None:
    # It takes time to load, and most runs download nothing.
    import requests
    from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

    size = part.stat().st_size if part.exists() else 0
    # A tarball that the server compresses once more would have another checksum.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={size}-"} if size else {})
    try:
        with _deadline():
            response = requests.get(
                url, headers=headers, stream=True, timeout=TIMEOUT, verify=certificates or None
            )
        with response:
            if not _resumes(response, url, part, size):
                size = 0
            _receive(response, part, size, limit, report)
    except (requests.RequestException, HTTPError, ValueError) as problem:
        cause = _root_cause(problem)
        messages = [value for value in cause.args if isinstance(value, str)] or [str(cause)]
        # urllib3 begins some of its messages with the name of the connection.
        reason = re.sub(r"^[\w.]+\([^)]*\): ", "", messages[-1])
        broken = isinstance(problem, requests.ConnectionError | requests.Timeout | HTTPError)
        # Where there never was a connection, another source is better than another try.
        if broken and not isinstance(cause, NewConnectionError | ConnectTimeoutError):
            raise _TemporaryError(reason) from problem
        raise FetchError(without_password(f"{url}: {reason}")) from problem


@contextmanager
def _deadline() -> Iterator[None]:
    """End what takes too long: the timeout of requests starts anew with every byte of a header."""

    def expire(number: int, frame: object) -> NoReturn:
        raise _TemporaryError(f"no complete answer within {_GRACE} seconds")

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, _GRACE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _resumes(response: "requests.Response", url: str, part: Path, size: int) -> bool:
    """Whether the answer is the rest of ``part``, and not the whole file."""
    for hop in (*response.history[1:], response):
        if urlsplit(url).scheme == "https" and urlsplit(hop.url).scheme != "https":
            message = without_password(f"{url}: redirected to {hop.url}")
            raise FetchError(message, expected="https all the way")
    status = response.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _TemporaryError(f"HTTP {status} {response.reason}")
    is_partial = status == HTTPStatus.PARTIAL_CONTENT
    start = response.headers.get("Content-Range", "").partition("-")[0]
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or (
        is_partial and start != f"bytes {size}"
    ):
        part.unlink(missing_ok=True)
        raise _TemporaryError("the server has no such part of the file; starting over")
    if status >= HTTPStatus.BAD_REQUEST:
        raise FetchError(f"{without_password(url)}: HTTP {status} {response.reason}")
    return is_partial


def _receive(
    response: "requests.Response", part: Path, size: int, limit: int, report: Report
) -> None:
    """Append the body to the ``size`` bytes that are there."""
    length = response.headers.get("Content-Length", "")
    total = size + int(length) if length.isdigit() else None
    name = Path(urlsplit(response.url).path).name
    began, received = time.monotonic(), 0
    with part.open("ab" if size else "wb") as file, report.download(name, total) as advance:
        advance(size)
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            received += len(chunk)
            if size + received > limit:
                part.unlink()
                message = f"{without_password(response.url)}: too large"
                raise FetchError(message, expected=f"at most {limit} bytes", got="more")
            file.write(chunk)
            advance(len(chunk))
            seconds = time.monotonic() - began
            if seconds > _GRACE and received < seconds * _MINIMUM_RATE:
                raise _TemporaryError(f"fewer than {_MINIMUM_RATE} bytes a second")
    if not received:  # a connection that breaks within the headers looks like an empty file
        raise _TemporaryError("nothing came after the headers")
    if total is not None and size + received < total:
        raise _TemporaryError(f"connection closed after {size + received} of {total} bytes")


def _root_cause(problem: BaseException) -> BaseException:
    """The innermost reason, without the chain of wrappers around it."""
    inner = getattr(problem, "reason", None) or (problem.args[-1] if problem.args else None)
    return _root_cause(inner) if isinstance(inner, BaseException) else problem
