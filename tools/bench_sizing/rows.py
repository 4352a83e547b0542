"""Start-ups of vLLM that somebody logged: rows of tests/sizing/kv_points.csv and measured.csv."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from generator.facts.files import version
from generator.facts.gpus import Device, gpus
from generator.sizing.cache.pages import CacheOptions
from generator.sizing.config.config import ModelConfig
from generator.sizing.engine.engine import Engine
from generator.sizing.model import Model
from generator.sizing.weights.divisions import Split

DATA = Path(__file__).resolve().parents[2] / "tests" / "sizing"

CURRENT = "NVIDIA, 0.10 on"
"""The scope that `fit` is made for."""
SCOPES = (CURRENT, "before 0.10", "not NVIDIA", "not known", "suspicious")

# Names that sources give a model, and the configuration that is meant.
SAME_AS = {
    "Qwen/Qwen3-8B (5-shard, 40960 ctx)": "Qwen/Qwen3-8B",
    "Llama-3.1-8B finetune (models/final_dpo)": "meta-llama/Llama-3.1-8B-Instruct",
    "Llama-3.1-8B-class (14.99 GiB, eager)": "meta-llama/Llama-3.1-8B-Instruct",
    "google/gemma-3-1b-class (26 layers)": "google/gemma-3-1b-it",
    "qwen3.8-27b-fp8 (hybrid GDN)": "Qwen/Qwen3.8-27B-FP8",
}
TYPES = {"H100": "H100-80GB", "H200": "H200-141GB", "B200": "B200-180GB", "A100": "A100-80GB", "L40S": "L40S-48GB"}
TYPES |= {"L4": "L4-24GB", "RTX4090": "RTX4090-24GB", "RTX3090": "RTX3090-24GB", "MI300X": "MI300X-192GB"}
TYPES |= {"A10": "A10-24GB", "A10G": "A10G-24GB", "RTX5090": "RTX5090-32GB", "RTXPRO6000": "RTXPRO6000-96GB"}
# Where a source tells the engine or the month instead of the version.
ABOUT = {"V0": "0.6.4", "V1": "0.8.0", "0.2x": "0.24.0", "0.3x": "0.30.0"}
# Columns of the figures that are compared.
MEASURED = {
    "weights": "weights_gib",
    "kv cache": "available_kv_gib",
    "tokens": "kv_tokens",
    "concurrency": "max_concurrency",
}


@dataclass(frozen=True)
class Row:
    """One start-up that somebody logged."""

    given: dict[str, str]

    def number(self, key: str) -> float | None:
        text = self.given.get(key) or ""
        return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None

    def whole(self, key: str) -> int | None:
        value = self.number(key)
        return None if value is None else int(value)

    @property
    def name(self) -> str:
        return SAME_AS.get(self.given["model"], self.given["model"])

    @property
    def note(self) -> str:
        return self.given.get("note") or ""

    @property
    def config(self) -> Path:
        return DATA / "configs" / f"{self.name.replace('/', '--')}.json"

    @property
    def gpu(self) -> str:
        """The GPU's type where it is known here, else the source's words."""
        words = re.sub(r"^\d+x", "", self.given["gpu"]).split()
        named = words[0] if words else ""
        return named if named in gpus() else TYPES.get(named, self.given["gpu"])

    @property
    def vllm(self) -> str:
        text = self.given["vllm_version"]
        exact = re.match(r"0\.\d+(\.\d+)?(?!x)", text)
        return exact[0] if exact else next((v for word, v in ABOUT.items() if text.startswith(word)), "0.11.0")

    @property
    def scope(self) -> str:
        """What the row can tell, one of SCOPES: of the versions and GPUs that the model is made for, or not."""
        if any(word in self.gpu for word in ("MI3", "AMD", "Arc", "TPU")):
            return "not NVIDIA"
        if "suspicious" in self.note or self._more_than_all:
            return "suspicious"
        if not self.model.layout(CacheOptions(dtype="bfloat16", vllm=self.vllm)).exact:
            return "not known"
        return "before 0.10" if version(self.vllm) < (0, 10) else CURRENT

    @property
    def _more_than_all(self) -> bool:
        """Whether weights and cache are more than the memory vLLM was given: then the row's figures are of two runs."""
        device, share = self.device, self.number("gpu_memory_utilization")
        weights, cache = self.number("weights_gib"), self.number("available_kv_gib")
        if device is None or share is None or weights is None or cache is None:
            return False
        return weights + cache > device.memory_gib * share + 0.1

    @property
    def measured(self) -> dict[str, float | None]:
        figures = {figure: self.number(column) for figure, column in MEASURED.items()}
        if "= weights+non-torch" in self.given["source"]:
            figures["weights"] = None
        return figures

    @property
    def started(self) -> bool | None:
        """Whether vLLM started; None where the source does not say, or where it failed for another reason."""
        text = self.given.get("fits") or ""
        if text in ("true", "false"):
            return text == "true"
        return True if self.number("kv_tokens") else None

    @cached_property
    def model(self) -> Model:
        return Model(ModelConfig(json.loads(self.config.read_text()), str(self.config)))

    @property
    def device(self) -> Device | None:
        """The GPU; None where its memory is not known."""
        known, total = gpus().get(self.gpu), self.number("gpu_mem_gib")
        memory = total or (known.memory_gib if known else None)
        if memory is None:
            return None
        if known is None:
            return Device(name=self.gpu, memory_gib=memory, compute_capability=8.9, nvlink=memory >= 70)
        return replace(known, memory_gib=memory)

    @property
    def split(self) -> Split:
        return Split(tensor=self.whole("tp") or 1, pipeline=self.whole("pp") or 1)

    @property
    def engine(self) -> Engine:
        return Engine(
            vllm=self.vllm,
            dtype={"fp16": "float16", "bf16": "bfloat16"}.get(self.given.get("dtype") or "", "auto"),
            context=self.whole("max_model_len"),
            sequences=self.whole("max_num_seqs"),
            batched_tokens=self._batched_tokens,
            utilization=self.number("gpu_memory_utilization"),
            kv_cache_dtype=self._kv_cache_dtype,
            quantization=self._quantization,
            eager=self.given.get("enforce_eager") == "true" or "eager" in self.given["model"],
            expert_parallel=self.given.get("expert_parallel") == "true",
            text_only="language_model_only" in self.note,
            draft_layers=1 if "MTP head" in self.note else 0,
            prefix_caching=False if "no prefix caching" in self.note else None,
            block_tokens=self.whole("block_size"),
        )

    @property
    def _batched_tokens(self) -> int | None:
        in_source = re.search(r"max_num_batched_tokens (\d+)", self.given["source"])
        return self.whole("max_num_batched_tokens") or (int(in_source[1]) if in_source else None)

    @property
    def _kv_cache_dtype(self) -> str:
        if "kv_cache_dtype=fp8" in self.given["source"]:
            return "fp8"
        return (self.given.get("kv_cache_dtype") or "auto").replace("fp8_e4m3", "fp8").replace("fp8_e5m2", "fp8")

    @property
    def _quantization(self) -> str | None:
        """What was asked for; of a quantized checkpoint the column says what it is."""
        column = self.given.get("quantization")
        return column if column in ("fp8", "bitsandbytes") and self.model.scheme(None) is None else None


def logged_rows() -> Iterator[Row]:
    """Every row whose model's configuration is there."""
    for name in ("kv_points.csv", "measured.csv"):
        with (DATA / name).open(encoding="utf-8", newline="") as file:
            for given in csv.DictReader(file):
                row = Row({key: value or "" for key, value in given.items() if key})
                if row.config.exists():
                    yield row
