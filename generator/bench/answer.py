"""One answer of a server that anyone may have written: so much of it and no more, within a time."""

from __future__ import annotations

import threading
import urllib.request
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillRunning

MOST_BYTES = 16 * 2**20
"""More than a list of thousands of models has."""


def read_answer(request: urllib.request.Request, *, timeout_s: float, most_bytes: int = MOST_BYTES) -> bytes:
    """The body that `request` is answered with.

    Raises what urllib does (OSError, ValueError, http.client.HTTPException), ValueError where the body is longer than
    `most_bytes`, and OSError where it is not there after `timeout_s`. The timeout of a socket alone would not do: every
    byte of an answer that trickles starts it anew.
    """
    result: Future[bytes] = Future()

    def read() -> None:
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as response:
                result.set_result(response.read(most_bytes + 1))
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=read, daemon=True).start()
    try:
        body = result.result(timeout_s)
    except StillRunning:
        raise OSError(f"no whole answer within {timeout_s:.0f} s") from None
    if len(body) > most_bytes:
        raise ValueError(f"the answer has more than {most_bytes // 2**20} MiB")
    return body
