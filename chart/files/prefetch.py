"""Downloads models of the Hugging Face hub into the cache (HF_HOME) before any engine asks for them.

Arguments: a JSON object (below), then `name` or `name@revision` each. Prints what is done. Exit code 1, with the
reason, when one cannot be had; the others are downloaded all the same. What is in the cache is not downloaded again.

    timeoutSeconds  for all of it
    listSeconds     for the list of one model's files
    hidden          what secrets look like, as regular expressions; the first group of one is what stays
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillRunning
from typing import Any

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

NEVER = ["original/*", "metal/*", "*.onnx", "*.gguf", "*.msgpack", "*.h5", "*.tflite"]
"""Copies of the weights for other programs."""
PICKLED = ["*.bin", "*.pt", "*.pth", "*.ckpt"]
"""Formats that vLLM reads only where there are no safetensors."""
REASON_CHARACTERS = 400

_hidden: list[re.Pattern[str]] = []


def main(arguments: list[str]) -> int:
    config, models = json.loads(arguments[0]), arguments[1:]
    _hidden[:] = map(re.compile, config["hidden"])
    deadline = time.monotonic() + config["timeoutSeconds"]
    failed = 0
    for number, model in enumerate(models, 1):
        name, _, revision = model.partition("@")
        started = time.monotonic()
        print(f"{number}/{len(models)} {name}: downloading", flush=True)
        try:
            folder = _download(name, revision or None, config["listSeconds"], deadline)
        except Exception as error:  # whatever keeps one model away: the others are tried all the same
            print(f"error: {name}: {_reason(error)}", flush=True)
            failed += 1
            continue
        print(f"{number}/{len(models)} {name}: in the cache after {time.monotonic() - started:.0f} s ({folder})")
    return 1 if failed else 0


def _download(name: str, revision: str | None, list_seconds: float, deadline: float) -> str:
    def left() -> float:
        return max(0.0, deadline - time.monotonic())

    files = _within(min(list_seconds, left()), lambda: HfApi().model_info(name, revision=revision).siblings or [])
    safe = any(file.rfilename.endswith(".safetensors") for file in files)
    ignored = NEVER + (PICKLED if safe else [])
    return _within(left(), lambda: snapshot_download(name, revision=revision, ignore_patterns=ignored))


def _within(seconds: float, call: Callable[[], Any]) -> Any:
    """What the call returns or raises, or TimeoutError when it takes longer: its thread is left to itself then."""
    result: Future[Any] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return result.result(seconds)
    except StillRunning:
        if result.done():
            return result.result()  # it came in this moment, or the time that was up is the call's own
        raise TimeoutError(f"the hub did not give all of it within {seconds:.0f} s") from None


def _reason(error: Exception) -> str:
    if isinstance(error, GatedRepoError):
        return "its licence has to be accepted by the account whose token huggingFace.existingSecret holds"
    if isinstance(error, RepositoryNotFoundError):
        return "the hub has no such model, or the token of huggingFace.existingSecret may not see it"
    text = hide(str(error)[:100_000]).strip() or "no reason given"
    text = "".join(character if character.isprintable() else "?" for character in text.splitlines()[0])
    return f"{type(error).__name__}: {text[:REASON_CHARACTERS]}"


def hide(text: str) -> str:
    """The text without what looks like a secret."""
    for pattern in _hidden:
        text = pattern.sub(lambda found: ((found[1] or "") if found.re.groups else "") + "***", text)
    return text


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # a download that was given up has threads that Python would wait for
