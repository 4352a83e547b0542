"""Waiting for what a cluster does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable

import urllib3
import websocket
from kubernetes.client import ApiException


def wait(
    holds: Callable[[], object], what: str, *, seconds: float, every: float = 1, now: Callable[[], object] | None = None
) -> float:
    """Wait until `holds()`, and return the seconds that it took. Fails after `seconds`, saying how it is `now()`."""
    start = time.monotonic()
    while True:
        try:
            if holds():
                return time.monotonic() - start
        except (ApiException, urllib3.exceptions.HTTPError, websocket.WebSocketException, ValueError):
            pass  # an API server or kubelet that is busy, or an answer cut off; it is asked again
        if time.monotonic() - start > seconds:
            raise AssertionError(f"not within {seconds:.0f} s: {what}" + (f"\n{now()}" if now else ""))
        time.sleep(every)
