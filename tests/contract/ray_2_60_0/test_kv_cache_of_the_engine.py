"""The cache that the plan predicts is the cache that a real vLLM engine makes.

vLLM's CPU engine divides a given memory (VLLM_CPU_KVCACHE_SPACE) into blocks by the same code as on GPUs, and prints
the same line, so it tells without a GPU whether pages, groups and blocks are counted right.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

import tiny_checkpoints  # noqa: E402

from generator.checkpoint import read_checkpoint  # noqa: E402
from generator.contract import GIB  # noqa: E402
from generator.facts import memory_constants  # noqa: E402
from generator.helm import cache_folder  # noqa: E402
from generator.kv_cache import CPU_BLOCK_TOKENS, cache_layout  # noqa: E402

MODELS = ["falcon3-1b-instruct", "falcon-h1-0.5b-instruct"]
ENGINE = """
import sys
from vllm import LLM
engine = LLM(model=sys.argv[1], enforce_eager=True, max_model_len=int(sys.argv[2]), max_num_seqs=8, dtype="bfloat16",
             max_num_batched_tokens=2048)
cache = engine.llm_engine.vllm_config.cache_config
print("blocks", cache.num_gpu_blocks, "of", cache.block_size)
"""


@pytest.mark.parametrize("context", [200, 512])
@pytest.mark.parametrize("model", MODELS)
def test_blocks_tokens_and_concurrency_are_the_engines_own(model: str, context: int) -> None:
    folder = cache_folder() / "local" / "checkpoints"
    for line in tiny_checkpoints.make(folder, [model]):
        print(line)
    printed = run_engine(folder / model, context)

    layout = cache_layout(
        read_checkpoint(str(folder / model)).architecture,
        dtype="bfloat16",
        tensor_parallel=1,
        pipeline_parallel=1,
        state_blocks=memory_constants("0.29.0").mamba_blocks,
        block_tokens=CPU_BLOCK_TOKENS,
    )
    concurrency = layout.concurrency(GIB, context)

    assert f"blocks {layout.blocks(GIB)} of {layout.block_tokens}" in printed
    assert f"KV cache size: {int(concurrency * context):,} tokens" in printed
    assert f"{context} tokens per request: {concurrency:.2f}x" in printed


def run_engine(checkpoint: Path, context: int) -> str:
    settings = {
        "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", ENGINE, str(checkpoint), str(context)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, **settings},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return re.sub(r"\s+", " ", done.stdout + done.stderr)
