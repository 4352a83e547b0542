"""What `fit` predicts against what vLLM logged: weights, cache, tokens, concurrency, and whether it started.

    make bench-sizing      (or: python -m tools.bench_sizing [--summary])

Rows: tests/sizing/kv_points.csv and measured.csv; configurations: tests/sizing/configs. Two baselines stand beside:
KAITO's rule and llm-d's constants, with the bytes per token counted here, so that only their overheads are compared.
"Left out" predicts each model with constants that are refitted without any row of that model; "in the range" counts the
measured figures that lie in the range that `fit` prints.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from generator.facts.files import read_data, version
from generator.facts.gpus import Device, gpus
from generator.facts.vllm_memory import memory_behaviour
from generator.sizing.cache.pages import CacheOptions
from generator.sizing.config.config import ModelConfig
from generator.sizing.engine.engine import Engine
from generator.sizing.fit import MemoryFit, fit
from generator.sizing.model import Model
from generator.sizing.weights.divisions import Split
from generator.sizing.weights.feed_forward import experts_of
from generator.units import GIB

DATA = Path(__file__).resolve().parents[2] / "tests" / "sizing"
AIMS = {"weights": (0.01, None), "kv cache": (0.03, 0.08), "tokens by measured cache": (0.001, None)}
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
_ROUNDED = 0.006
"""Logs tell hundredths of a GiB."""
# Where a source tells the engine or the month instead of the version.
ABOUT = {"V0": "0.6.4", "V1": "0.8.0", "0.2x": "0.24.0", "0.3x": "0.30.0"}


@dataclass(frozen=True)
class Row:
    """One start-up that somebody logged."""

    given: dict[str, str]

    def number(self, key: str) -> float | None:
        text = self.given.get(key) or ""
        return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None

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
        found = re.match(r"0\.\d+(\.\d+)?(?!x)", text)
        return found[0] if found else next((v for word, v in ABOUT.items() if text.startswith(word)), "0.11.0")

    @property
    def scope(self) -> str:
        """What the row can tell: of the versions and GPUs that the model is made for, or not."""
        if "MI3" in self.gpu or "AMD" in self.gpu or "Arc" in self.gpu or "TPU" in self.gpu:
            return "not NVIDIA"
        if "suspicious" in self.note or self._more_than_all:
            return "suspicious"
        if not self.model.layout(CacheOptions(dtype="bfloat16", vllm=self.vllm)).exact:
            return "not known"
        return "before 0.10" if version(self.vllm) < (0, 10) else "NVIDIA, 0.10 on"

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
        figures = {"weights": "weights_gib", "kv cache": "available_kv_gib", "tokens": "kv_tokens"}
        found = {key: self.number(column) for key, column in (*figures.items(), ("concurrency", "max_concurrency"))}
        if "= weights+non-torch" in self.given["source"]:
            found["weights"] = None
        return found

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
        return Device(
            name=known.name,
            memory_gib=memory,
            compute_capability=known.compute_capability,
            nvlink=known.nvlink,
            amd=known.amd,
        )

    @property
    def split(self) -> Split:
        return Split(tensor=int(self.number("tp") or 1), pipeline=int(self.number("pp") or 1))

    @property
    def engine(self) -> Engine:
        cache = (self.given.get("kv_cache_dtype") or "auto").replace("fp8_e4m3", "fp8").replace("fp8_e5m2", "fp8")
        batched = re.search(r"max_num_batched_tokens (\d+)", self.given["source"])
        asked = self.given.get("quantization") or ""
        return Engine(
            vllm=self.vllm,
            dtype={"fp16": "float16", "bf16": "bfloat16"}.get(self.given.get("dtype") or "", "auto"),
            context=_whole(self.number("max_model_len")),
            sequences=_whole(self.number("max_num_seqs")),
            batched_tokens=_whole(self.number("max_num_batched_tokens")) or (int(batched[1]) if batched else None),
            utilization=self.number("gpu_memory_utilization"),
            kv_cache_dtype="fp8" if "kv_cache_dtype=fp8" in self.given["source"] else cache,
            # Of a quantized checkpoint the column says what it is, and not what was asked for.
            quantization=asked if asked in ("fp8", "bitsandbytes") and self.model.scheme(None) is None else None,
            eager=self.given.get("enforce_eager") == "true" or "eager" in self.given["model"],
            expert_parallel=self.given.get("expert_parallel") == "true",
            text_only="language_model_only" in self.note,
            draft_layers=1 if "MTP head" in self.note else 0,
            prefix_caching=False if "no prefix caching" in self.note else None,
            block_tokens=_whole(self.number("block_size")),
        )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


@dataclass(frozen=True)
class Prediction:
    row: Row
    memory: MemoryFit
    device_known: bool

    @property
    def budget_known(self) -> bool:
        """Whether the row tells the memory that vLLM was given."""
        return self.device_known and self.row.number("gpu_memory_utilization") is not None

    @cached_property
    def figures(self) -> dict[str, float]:
        """What is predicted, by the names of `Row.measured`; only what the row tells enough for."""
        found = {"weights": self.memory.weights_gib}
        measured, layout, context = self.row.measured, self.memory.layout, self.memory.context
        if self.budget_known:
            kv = max(0.0, self.memory.expected_kv_gib) * GIB
            found |= {"kv cache": self.memory.expected_kv_gib, "tokens": layout.tokens(kv, context)}
            found["concurrency"] = layout.concurrency(kv, context)
        if (held := measured["kv cache"]) and held > 0:
            found["tokens by measured cache"] = layout.tokens(held * GIB, context)
        return found

    def error(self, figure: str, value: float | None = None) -> float | None:
        """Relative error of a figure (of `value` in its place, where given); None where it was not measured."""
        measured = self.row.measured.get(figure.removesuffix(" by measured cache"))
        predicted = self.figures.get(figure) if value is None else value
        if not measured or measured <= 0 or predicted is None:
            return None
        return predicted / measured - 1

    def inside(self, figure: str) -> bool | None:
        """Whether the measured figure lies in the range that `fit` prints; None where it was not measured."""
        measured = self.row.measured[figure]
        if not measured or measured <= 0 or (figure == "kv cache" and not self.budget_known):
            return None
        found = self.memory.ranges[figure.replace(" ", "_")]
        return found.low - _ROUNDED <= measured <= found.high + _ROUNDED

    def kaito(self) -> float:
        """The cache that KAITO's rule leaves. Source: kaito-project/kaito pkg/workspace/estimator/budget.go."""
        weights = self.memory.weights_gib
        return self.memory.usable_gib - 1.02 * weights - 2.3 - 0.05 * weights

    def llm_d(self) -> float:
        """The cache that llm-d's constants leave (llm-d-incubation/llm-d-planner src/planner/capacity_planner.py)."""
        activation = 8.0 if experts_of(self.row.model.config) else 5.5
        by_architecture = {"LlamaForCausalLM": 4.8, "Qwen2ForCausalLM": 5.6, "Qwen3ForCausalLM": 5.6}
        by_architecture |= {"PixtralForConditionalGeneration": 2.5, "Mistral3ForConditionalGeneration": 2.5}
        activation = by_architecture.get(self.row.model.config.architecture, activation)
        return (
            self.memory.usable_gib - self.memory.weights_gib - activation - (0.15 if self.row.split.gpus == 1 else 0.6)
        )


def predictions() -> list[Prediction]:
    """Every row whose model's configuration is there, predicted."""
    found = []
    for name in ("kv_points.csv", "measured.csv"):
        with (DATA / name).open(encoding="utf-8", newline="") as file:
            for given in csv.DictReader(file):
                row = Row({key: value or "" for key, value in given.items() if key})
                if not row.config.exists():
                    continue
                device = row.device
                stand_in = device or Device(name=row.gpu, memory_gib=1024.0)
                memory = fit(row.model, device=stand_in, split=row.split, engine=row.engine)
                found.append(Prediction(row, memory, device is not None))
    return found


def left_out(all_of_them: list[Prediction]) -> dict[int, float]:
    """The cache of each row (GiB, by its place), the sampler's and non-torch constants refitted without its model."""
    used = [p for p in all_of_them if p.row.scope == "NVIDIA, 0.10 on" and p.budget_known]
    found = {}
    for place, one in enumerate(all_of_them):
        if one not in used:
            continue
        others = [p for p in used if p.row.name != one.row.name and _entry(p) == _entry(one)]
        shift = _median(_sampler_shift(p) for p in others)
        activation = shift * _entries(one) / GIB
        alike = [p for p in others if _group(p) == _group(one)]
        rest = _median((r for p in alike if (r := _rest(p, shift)) is not None), one.memory.non_torch_gib)
        found[place] = one.memory.expected_kv_gib + one.memory.non_torch_gib - rest - activation
    return found


def _entry(one: Prediction) -> float:
    """The data file's entry that gives the row its sampler."""
    return memory_behaviour(one.row.vllm).sampler_bytes.estimate


def _group(one: Prediction) -> tuple[object, ...]:
    table = memory_behaviour(one.row.vllm).non_torch
    device = one.row.device
    nvlink = bool(device and device.nvlink)
    nearest = max(n for n in table["nvlink"] if n <= one.row.split.gpus)
    return nvlink, nearest, table["nvlink"][nearest]


def _entries(one: Prediction) -> float:
    return one.memory.shape.sequences * one.row.model.config.needed("vocab_size")


def _sampler_shift(one: Prediction) -> float | None:
    """How many bytes more for each entry the row's own activation peak says; None where it tells none."""
    measured = one.row.number("activation_gib")
    if measured is None:
        return None
    return (measured - one.memory.activation_gib) * GIB / _entries(one)


def _rest(one: Prediction, shift: float) -> float | None:
    """What the row's budget leaves for memory outside PyTorch (GiB)."""
    stated = one.row.number("non_torch_gib")
    if stated is not None:
        return stated
    weights, cache = one.row.measured["weights"], one.row.measured["kv cache"]
    if weights is None or cache is None:
        return None
    activation = one.memory.activation_gib + shift * _entries(one) / GIB
    return one.memory.usable_gib - weights - cache - activation - one.memory.cuda_graph_gib


def _median(values: Iterable[float | None], default: float = 0.0) -> float:
    found = [value for value in values if value is not None]
    return statistics.median(found) if found else default


def summary(errors: list[tuple[float, Prediction]]) -> str:
    if not errors:
        return "no row"
    sizes = [abs(error) for error, _ in errors]
    worst = max(errors, key=lambda item: abs(item[0]))
    models = len({p.row.name for _, p in errors})
    return (
        f"{len(errors):3} rows of {models:2} models   mean {statistics.mean(sizes):7.2%}"
        f"   median {statistics.median(sizes):7.2%}"
        f"   worst {worst[0]:+8.2%} ({worst[1].row.name}, {worst[1].row.given['vllm_version']})"
    )


def report(all_of_them: list[Prediction]) -> Iterator[str]:
    refitted = left_out(all_of_them)
    for scope in ("NVIDIA, 0.10 on", "before 0.10", "not NVIDIA", "not known", "suspicious"):
        rows = [(place, p) for place, p in enumerate(all_of_them) if p.row.scope == scope]
        yield f"{scope}: {len(rows)} rows"
        for figure in ("weights", "kv cache", "tokens by measured cache", "tokens", "concurrency"):
            errors = [(e, p) for _, p in rows if (e := p.error(figure)) is not None]
            aim = AIMS.get(figure) if scope == "NVIDIA, 0.10 on" else None
            told = f"   aim: mean {aim[0]:.1%}" + (f", worst {aim[1]:.0%}" if aim[1] else "") if aim else ""
            yield f"  {figure:26}{summary(errors)}{told}"
        for figure in ("weights", "kv cache"):
            inside = [held for _, p in rows if (held := p.inside(figure)) is not None]
            yield f"  {figure + ', in the range':26}{sum(inside)} of {len(inside)}"
        others: tuple[tuple[str, Callable[[int, Prediction], float | None]], ...] = (
            ("kv cache, left out", lambda place, p: refitted.get(place)),
            ("kv cache, KAITO's rule", lambda place, p: p.kaito()),
            ("kv cache, llm-d's constants", lambda place, p: p.llm_d()),
        )
        for name, predict in others:
            errors = [
                (e, p)
                for place, p in rows
                if p.budget_known and (v := predict(place, p)) is not None and (e := p.error("kv cache", v)) is not None
            ]
            yield f"  {name:28}{summary(errors)}"
        yield from _starts([p for _, p in rows if p.budget_known])
        yield ""
    yield from missing(all_of_them)


def _starts(found: list[Prediction]) -> Iterator[str]:
    wrong = [p for p in found if p.memory.fits and p.row.started is False]
    shy = [p for p in found if not p.memory.fits and p.row.started]
    refused = sum(p.row.started is False for p in found)
    yield f"  said to fit and refused by vLLM: {len(wrong)} of {refused}   said not to fit and started: {len(shy)}"
    for label, them in (("refused", wrong), ("started", shy)):
        for p in them:
            yield f"    {label}: {p.row.name} on {p.row.split.gpus} x {p.row.gpu}, {p.row.given['vllm_version']}"


def missing(all_of_them: list[Prediction]) -> Iterator[str]:
    """Which measurement the constants lack: entries of the data file with fewer than three models."""
    yield "Constants with fewer than three models behind them:"
    versions = read_data("memory.yaml")["versions"]
    for number, row in versions.items():
        for topology, table in (row.get("nonTorch") or {}).items():
            if topology == "spread":
                continue
            for gpus_of, value in table.items():
                behind = {
                    p.row.name
                    for p in all_of_them
                    if p.row.scope in ("NVIDIA, 0.10 on", "before 0.10")
                    and p.budget_known
                    and p.row.measured["kv cache"]
                    if _group(p) == (topology == "nvlink", gpus_of, table[gpus_of] if topology == "nvlink" else None)
                    or (topology == "pcie" and _group(p)[:2] == (False, gpus_of) and _since(p, number))
                }
                if len(behind) < 3:
                    yield f"  non-torch {value} GiB: {gpus_of} GPUs, {topology}, from {number} on: {len(behind)} models"
    for number in (n for n, row in versions.items() if "samplerBytes" in row):
        behind = {p.row.name for p in all_of_them if p.row.number("activation_gib") is not None and _since(p, number)}
        if len(behind) < 3:
            yield f"  sampler, from {number} on: {len(behind)} models whose log tells the activation peak"


def _since(one: Prediction, number: str) -> bool:
    """Whether the row's vLLM is of that entry of the data file."""
    known = sorted((n for n, row in read_data("memory.yaml")["versions"].items() if "nonTorch" in row), key=version)
    return max((n for n in known if version(n) <= version(one.row.vllm)), key=version, default=known[0]) == number


def rows_lines(all_of_them: list[Prediction]) -> Iterator[str]:
    """Every row: predicted / measured."""
    head = f"{'model':44}{'gpu':18}{'tp':>3} {'vllm':12}"
    yield f"{head}{'weights GiB':>18}{'cache GiB':>18}{'error':>9}{'tokens':>24}  started"
    for p in all_of_them:
        measured, figures = p.row.measured, p.figures
        error = p.error("kv cache")
        yield (
            f"{p.row.name[-43:]:44}{p.row.gpu[:17]:18}{p.row.split.tensor:>3} {p.row.given['vllm_version'][:11]:12}"
            f"{_pair(figures.get('weights'), measured['weights'], '.2f'):>18}"
            f"{_pair(figures.get('kv cache'), measured['kv cache'], '.2f'):>18}"
            f"{'' if error is None else f'{error:+.1%}':>9}"
            f"{_pair(figures.get('tokens'), measured['tokens'], ',.0f'):>24}"
            f"  {'yes' if p.memory.fits else 'no'}/{ {True: 'yes', False: 'no', None: '-'}[p.row.started] }"
        )


def _pair(predicted: float | None, measured: float | None, how: str) -> str:
    return " / ".join("-" if value is None else format(value, how) for value in (predicted, measured))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bench_sizing", description=__doc__.splitlines()[0])
    parser.add_argument("--summary", action="store_true", help="without the single rows")
    asked = parser.parse_args()
    found = predictions()
    if not asked.summary:
        print("\n".join(rows_lines(found)), end="\n\n")
    print("\n".join(report(found)))


if __name__ == "__main__":
    main()
