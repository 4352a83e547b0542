"""The ways that one Ray can serve at once, each by a model of its own."""

from __future__ import annotations

from typing import Any

from tests.ways.served import llm_config, text_config
from tools.way_checkpoints.adapters import RANK

ADAPTERS = ("pirate", "poet")
NGRAM = {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 4, "prompt_lookup_min": 2}


def _model(llm_config: dict[str, Any], family: str = "ways") -> dict[str, Any]:
    return {"family": family, "llmConfig": llm_config}


MODELS = {
    "chat": _model(
        text_config(
            "chat",
            enable_lora=True,
            max_loras=2,
            max_lora_rank=RANK,
            lora_modules=[
                {"name": f"chat:{name}", "path": f"checkpoints/{name}", "base_model_name": "chat"} for name in ADAPTERS
            ],
        )
    ),
    "caller": _model(
        text_config(
            "chat",
            enable_auto_tool_choice=True,
            tool_call_parser="hermes",
            reasoning_parser="deepseek_r1",
            speculative_config=NGRAM,
        )
        | {"log_engine_metrics": False}
    ),
    "embedder": _model(llm_config("embedder", runner="pooling", dtype="float32", max_model_len=256)),
    "reranker": _model(llm_config("reranker", runner="pooling", dtype="float32", max_model_len=256)),
    "transcriber": _model(llm_config("transcriber", dtype="bfloat16", max_num_seqs=2)),
    "viewer": _model(text_config("viewer", limit_mm_per_prompt={"image": 1})),
}
