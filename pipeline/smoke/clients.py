"""Visitors of a web server: many requests over several connections at once, and what came back."""

import gzip
import hashlib
import http.client
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

CONNECTIONS = 8
REQUESTS = 25  # over each connection

# Seconds that an answer may take.
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Visit:
    """What came back: the distinct answers with their counts, and how many had the page in them.

    An answer is told as status, encoding and checksum of what was sent, or as the error.
    """

    answers: Counter[str]
    right: int
    asked: int


def ask(port: int, path: str, page: bytes) -> Visit:
    """Ask this machine's server for a page, every other time compressed."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        told = list(pool.map(lambda _: _visit(port, path, page), range(CONNECTIONS)))
    answers = sum((answers for answers, _ in told), Counter[str]())
    return Visit(answers, sum(right for _, right in told), CONNECTIONS * REQUESTS)


def _visit(port: int, path: str, page: bytes) -> tuple[Counter[str], int]:
    answers: Counter[str] = Counter()
    right = 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        for number in range(REQUESTS):
            encoding = "gzip" if number % 2 else "identity"
            connection.request("GET", path, headers={"Accept-Encoding": encoding})
            response = connection.getresponse()
            body = response.read()
            used = response.getheader("Content-Encoding", "identity")
            answers[f"{response.status} {used} {hashlib.sha256(body).hexdigest()[:12]}"] += 1
            right += (gzip.decompress(body) if used == "gzip" else body) == page
    except (OSError, EOFError, http.client.HTTPException) as problem:
        answers[f"{type(problem).__name__}: {problem}"] += 1
    finally:
        connection.close()
    return answers, right
