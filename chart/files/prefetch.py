"""Downloads models of the Hugging Face hub into the cache (HF_HOME) before any engine asks for them.

Arguments: `name` or `name@revision`. Prints what is done. Exit code 1, with the reason, when one cannot be had;
the others are downloaded all the same. What is in the cache is not downloaded again.
"""

from __future__ import annotations

import sys
import time

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

NEVER = ["original/*", "metal/*", "*.onnx", "*.gguf", "*.msgpack", "*.h5", "*.tflite"]
"""Copies of the weights for other programs."""
PICKLED = ["*.bin", "*.pt", "*.pth", "*.ckpt"]
"""Formats that vLLM reads only where there are no safetensors."""


def main(models: list[str]) -> int:
    failed = 0
    for number, model in enumerate(models, 1):
        name, _, revision = model.partition("@")
        started = time.monotonic()
        print(f"{number}/{len(models)} {name}: downloading", flush=True)
        try:
            folder = _download(name, revision or None)
        except Exception as error:  # whatever keeps one model away: the others are tried all the same
            print(f"error: {name}: {_reason(error)}", flush=True)
            failed += 1
            continue
        print(f"{number}/{len(models)} {name}: in the cache after {time.monotonic() - started:.0f} s ({folder})")
    return 1 if failed else 0


def _download(name: str, revision: str | None) -> str:
    files = HfApi().model_info(name, revision=revision).siblings or []
    safe = any(file.rfilename.endswith(".safetensors") for file in files)
    return snapshot_download(name, revision=revision, ignore_patterns=NEVER + (PICKLED if safe else []))


def _reason(error: Exception) -> str:
    if isinstance(error, GatedRepoError):
        return "its licence has to be accepted by the account whose token huggingFace.existingSecret holds"
    if isinstance(error, RepositoryNotFoundError):
        return "the hub has no such model, or the token of huggingFace.existingSecret may not see it"
    return f"{type(error).__name__}: {(str(error).splitlines() or ['no reason given'])[0]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
