"""The one door to the network: a URL becomes a file, through broken lines and busy servers."""

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from pipeline.model.errors import FetchError
from pipeline.system.report import Report, without_password

# Seconds to connect, and seconds between two chunks.
TIMEOUT = (10, 30)
# Pauses between two tries, in seconds; one try more than there are pauses.
PAUSES = (0.5, 1.0, 2.0, 4.0)
_CHUNK = 1 << 16
# Seconds after which an answer must have begun, and from then on must have had so many bytes a
# second: a slow modem has more.
_PATIENCE, _SLOWEST = 60, 1024


class _Passing(Exception):
    """A failure that the next try may not meet."""


def download(
    url: str,
    part: Path,
    *,
    limit: int,
    report: Report,
    certificates: str = "",
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Bring what a URL names into ``part``, at most ``limit`` bytes.

    Tries again after a 5xx answer and after a broken connection, never after a 4xx. A ``part``
    that is there already is gone on with, where the server allows it; the answer is whether that
    happened. ``certificates`` is a file of them to trust instead of the usual. Raises FetchError.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    resumed = False
    with requests.Session() as session:
        for wait in (*PAUSES, None):
            try:
                return _transfer(session, url, part, limit, report, certificates) or resumed
            except _Passing as problem:
                resumed = part.exists() and part.stat().st_size > 0
                if wait is None:
                    raise FetchError(
                        f"{without_password(url)}: {problem}", got=f"{len(PAUSES) + 1} tries failed"
                    ) from problem
                report.line(f"  {without_password(url)}: {problem}; trying again")
                pause(wait)
    raise AssertionError("unreachable")


def _transfer(
    session: requests.Session, url: str, part: Path, limit: int, report: Report, certificates: str
) -> bool:
    have = part.stat().st_size if part.exists() else 0
    # Bytes as they are: a tarball that a server packs once more has another checksum.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    trusted = certificates or None
    try:
        with _answer(session, url, headers, trusted) as answer:
            _judge(url, answer)
            resumed = _goes_on(answer, have)
            if not resumed:
                have = 0
            _receive(answer, part, have, limit, report)
            return resumed
    except (requests.ConnectionError, requests.Timeout, HTTPError) as problem:
        if _unreachable(problem):
            raise FetchError(f"{without_password(url)}: {_short(problem)}") from problem
        raise _Passing(_short(problem)) from problem
    except (requests.RequestException, ValueError) as problem:  # also of a redirect to no address
        raise FetchError(without_password(f"{url}: {_short(problem)}")) from problem


def _answer(
    session: requests.Session, url: str, headers: dict[str, str], verify: str | None
) -> requests.Response:
    """What a server answers, up to the end of its headers.

    Each byte of those may take as long as a chunk, and nothing in between can be asked; so a thread
    asks, and one that is kept waiting by its server is left to itself.
    """
    told: SimpleQueue[requests.Response | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            told.put(session.get(url, headers=headers, stream=True, timeout=TIMEOUT, verify=verify))
        except Exception as problem:  # noqa: BLE001 - it is raised where it is waited for
            told.put(problem)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = told.get(timeout=_PATIENCE)
    except Empty:
        raise _Passing(f"no whole answer within {_PATIENCE} seconds") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _judge(url: str, answer: requests.Response) -> None:
    for hop in (*answer.history[1:], answer):
        if urlsplit(url).scheme == "https" and urlsplit(hop.url).scheme != "https":
            told = without_password(f"{url}: redirected to {hop.url}")
            raise FetchError(told, expected="https all the way")
    if answer.status_code >= 500:
        raise _Passing(f"HTTP {answer.status_code} {answer.reason}")
    if answer.status_code == requests.codes.requested_range_not_satisfiable:
        return
    if answer.status_code >= 400:
        raise FetchError(f"{without_password(url)}: HTTP {answer.status_code} {answer.reason}")


def _goes_on(answer: requests.Response, have: int) -> bool:
    """Whether the answer is the rest of what we have, and not the whole."""
    told = answer.headers.get("Content-Range", "")
    return answer.status_code == requests.codes.partial_content and told.startswith(
        f"bytes {have}-"
    )


def _receive(answer: requests.Response, part: Path, have: int, limit: int, report: Report) -> None:
    if answer.status_code == requests.codes.requested_range_not_satisfiable:
        part.unlink(missing_ok=True)
        raise _Passing("the server has fewer bytes than we; starting over")
    if answer.status_code == requests.codes.partial_content and not have:
        part.unlink(missing_ok=True)
        raise _Passing("the server sends another part than we asked for; starting over")
    length = answer.headers.get("Content-Length")
    total = have + int(length) if length and length.isdigit() else None
    name = Path(urlsplit(answer.url).path).name
    with part.open("ab" if have else "wb") as sink, report.download(name, total) as arrived:
        arrived(have)
        began, before = time.monotonic(), have
        while chunk := answer.raw.read1(_CHUNK, decode_content=False):
            have += len(chunk)
            _hold_to_pace(have - before, time.monotonic() - began)
            if have > limit:
                sink.close()
                part.unlink()
                what = f"{without_password(answer.url)}: too large"
                raise FetchError(what, expected=f"at most {limit} bytes", got="more")
            sink.write(chunk)
            arrived(len(chunk))
    if have == before:  # a line that breaks within the headers looks like a file of no bytes
        raise _Passing("nothing came behind the headers")
    if total is not None and have < total:
        raise _Passing(f"connection closed after {have} of {total} bytes")


def _hold_to_pace(count: int, seconds: float) -> None:
    """A server that sends a byte now and then would keep us for ever."""
    if seconds > _PATIENCE and count < seconds * _SLOWEST:
        raise _Passing(f"fewer than {_SLOWEST} bytes a second")


def _unreachable(problem: Exception) -> bool:
    """Whether there never was a connection: another source is a better idea than another try."""
    reason = getattr(problem.args[0], "reason", None) if problem.args else None
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def _short(problem: Exception) -> str:
    """The innermost reason, without the chain of wrappers around it."""
    reason: object = problem
    while isinstance(reason, Exception) and reason.args:
        inner = getattr(reason, "reason", None) or reason.args[-1]
        if not isinstance(inner, Exception) or inner is reason:
            break
        reason = inner
    # urllib3 begins some of its messages with the connection's own name.
    return re.sub(r"^[\w.]+\([^)]*\): ", "", str(reason))
