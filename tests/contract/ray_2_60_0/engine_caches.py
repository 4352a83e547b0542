"""Starts vLLM's CPU engine for one model after the other, and writes what cache each made. A process of its own.

    engine_caches.py RESULTS < jobs

`jobs` is JSON, a list of {name, checkpoint, contexts, arguments}; RESULTS gets a line of JSON for each. One process for
all: to import vLLM takes longer than to start an engine for a tiny model.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from vllm import LLM
from vllm.distributed import cleanup_dist_env_and_memory


def main() -> None:
    with Path(sys.argv[1]).open("w") as results:
        for job in json.load(sys.stdin):
            found: dict[str, Any] = {"name": job["name"], "caches": [], "error": ""}
            try:
                for context in job["contexts"]:
                    try:
                        found["caches"].append(cache(job["checkpoint"], context, job["arguments"]))
                    finally:
                        # Its groups of processes would be the next engine's, and a dense model has none for experts.
                        cleanup_dist_env_and_memory()
            except Exception:
                found["error"] = traceback.format_exc()
            results.write(json.dumps(found) + "\n")


def cache(checkpoint: str, context: int, arguments: dict[str, Any]) -> dict[str, Any]:
    """The cache of an engine with random weights, in tokens and blocks.

    `tokens` and `concurrency` are what the engine prints as "GPU KV cache size" and "Maximum concurrency"
    (`vllm/v1/core/kv_cache_utils.py::update_kv_cache_capacity`); the line itself comes once for equal figures.
    """
    engine = LLM(
        model=checkpoint,
        enforce_eager=True,
        max_model_len=context,
        max_num_seqs=8,
        dtype="bfloat16",
        max_num_batched_tokens=2048,
        load_format="dummy",
        skip_tokenizer_init=True,
        **arguments,
    )
    config = engine.llm_engine.vllm_config
    made = config.cache_config
    return {
        "context": context,
        "tokens": made.kv_cache_size_tokens,
        "concurrency": made.kv_cache_max_concurrency,
        "blocks": made.num_gpu_blocks,
        "block_tokens": made.block_size,
        "state_dtype": None if made.mamba_ssm_cache_dtype == "auto" else made.mamba_ssm_cache_dtype,
        "prefix_caching": made.enable_prefix_caching,
        "batched_tokens": config.scheduler_config.max_num_batched_tokens,
    }


if __name__ == "__main__":
    main()
