"""A client of nginx: a request after another until its input ends; then what became of them."""

import json
import select
import sys
from collections import Counter
from http.client import HTTPConnection, HTTPException


def answer(port: int) -> str:
    """The status of one request on a connection of its own, or what went wrong."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
        return str(response.status)
    except (OSError, HTTPException) as problem:
        return repr(problem)
    finally:
        connection.close()


def main() -> None:
    """A line after the first request, another one at the end."""
    results = Counter([answer(80)])
    sys.stdout.write("started\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], 0.01)[0]:
        results[answer(80)] += 1
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main()
