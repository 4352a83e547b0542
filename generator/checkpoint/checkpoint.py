"""A checkpoint: what a model says of itself, in a hub repository, a folder, or its config.json alone.

Takes a reference as people type it and gives what `add` writes of the model. Weights are never loaded: the headers of
the safetensors files tell parameters and bytes. Where there are none, both are computed from the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from generator.checkpoint.architecture import architecture_of, context_of, derivation_notes
from generator.checkpoint.reference import CONFIG, reference_of
from generator.checkpoint.source import CheckpointSource, open_source
from generator.checkpoint.tensors import read_tensors, refuse_other_formats
from generator.checkpoint.weights import Quantization, quantization_of, weights_of
from generator.formats.architecture import Architecture
from generator.formats.catalog import Provenance, Weights
from generator.progress import Report
from generator.sizing.cache.rules import is_known
from generator.sizing.config.architectures import makes_vectors
from generator.sizing.config.config import ModelConfig
from generator.sizing.weights.quantization import quantization_of as scheme_of

_TOKENIZER = "tokenizer_config.json"
_SENTENCES = "modules.json"
"""Of sentence-transformers; vLLM pools by it too: `vllm/transformers_utils/config.py::get_pooling_config`."""
_RANKS = "text-ranking"
"""The hub's word for what a reranker does, in model cards."""
HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")
_LONGEST_LICENSE = 200
"""Characters; the hub's names of licenses are shorter, and a whole license is no name."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What `add` writes of a model, and what people should know before they serve it."""

    source: str
    """Hub id, or absolute path of the folder."""
    revision: str | None
    """Commit of the hub repository (40 hex digits)."""
    architecture: Architecture
    weights: Weights
    license: str | None
    context: int
    """Tokens the model was made for: its positions (after YaRN), or fewer where its tokenizer says so."""
    model_id: str
    """A suggestion: the name in lower case, DNS-safe."""
    family: str
    """A suggestion: the name up to the size."""
    embeds: bool
    """Whether its files say that a model made to generate is to make embeddings."""
    provenance: Provenance
    ranks: bool = False
    """Whether its card says that it gives scores to texts."""
    gated: bool = False
    """Whether the hub gives it only to accounts that accepted its license."""
    notes: tuple[str, ...] = ()

    @property
    def quantization(self) -> str | None:
        """`quant_method`, such as awq; None where weights have the checkpoint's own type."""
        return self.architecture.quant_method

    def entry(self, *, context: int | None = None, sequences: int = 64) -> dict[str, Any]:
        """The model's entry of a catalog file, as data. Context by default: 8,192 tokens, or the model's if less."""
        entry = {
            "source": self.source,
            "revision": self.revision,
            "license": self.license,
            "gated": self.gated or None,
            **({"task": "embedding", "llmConfig": {"engine_kwargs": {"runner": "pooling"}}} if self.embeds else {}),
            "needs": {"context": context or min(8192, self.context), "sequences": sequences},
            "architecture": self.architecture.model_dump(exclude_none=True),
            "weights": self.weights.model_dump(),
            "provenance": self.provenance.model_dump(exclude_defaults=True),
        }
        return {key: value for key, value in entry.items() if value is not None}


def read_checkpoint(
    reference: str, *, revision: str | None = None, served_from: str | None = None, report: Report | None = None
) -> Checkpoint:
    """Return what the checkpoint at `reference` says of itself.

    `reference` is a hub id (`org/name`, or its page's address), a folder, or a config.json. A folder or file that
    exists wins over a hub id, and needs no network. `revision` (a branch, tag or commit of the hub, `main` by default)
    is pinned to its commit. `served_from` is where the engine finds the weights, where that is another place.
    `report` gets a line when something slow begins.

    Raises UserError: nothing there, half-written, no weights that can be read, a repository that needs a token.
    """
    tell = report or (lambda line: None)
    with open_source(reference_of(reference), revision, tell) as source:
        return _read(source, tell, served_from=served_from)


def _read(source: CheckpointSource, tell: Report, *, served_from: str | None) -> Checkpoint:
    refuse_other_formats(source)
    config = ModelConfig(source.json(CONFIG), source.where(CONFIG))
    tensors = read_tensors(source, tell)
    tokenizer = source.json(_TOKENIZER) if _TOKENIZER in source.names else {}
    quantization = quantization_of(source, config)
    if quantization and not config.get("quantization_config"):  # it is in another file, or by another word
        config = replace(config, data={**config.data, "quantization_config": quantization})
    scheme_of(config)  # refuses what `fit` and `plan` could not read later
    architecture = architecture_of(config, tokenizer, tensors, quantization)
    counted = weights_of(tensors, config, architecture, quantization)
    context = context_of(architecture, tokenizer)
    read = "config.json and safetensors headers" if tensors else "config.json"
    # A folder's name may be anything; a hub id is what the model is called.
    name = served_from if served_from and HUB_ID.match(served_from) else source.name
    of = source.source if source.revision else Path(source.source).name
    return Checkpoint(
        source=source.source,
        revision=source.revision,
        architecture=architecture,
        weights=counted.weights,
        license=_license(source.card),
        gated=source.gated,
        context=context,
        model_id=suggest_model_id(name),
        family=suggest_family(name),
        embeds=_SENTENCES in source.names and not makes_vectors(config),
        ranks=_RANKS in (source.card.get("pipeline_tag"), *_listed(source.card.get("tags"))),
        provenance=Provenance(source=f"{read} of {of}", confidence=counted.confidence),
        notes=(
            *derivation_notes(config, tokenizer, tensors),
            *counted.notes,
            *_worth_knowing(
                source, config, architecture, quantization, weights_are_there=bool(tensors), elsewhere=bool(served_from)
            ),
            *_shorter_context(context, architecture),
        ),
    )


def _listed(stated: Any) -> list[Any]:
    return stated if isinstance(stated, list) else [stated]


def _license(card: Mapping[str, Any]) -> str | None:
    """A model card's license; where that is `other`, its name. What is no short text says none."""
    stated = card.get("license")
    if isinstance(stated, list) and all(isinstance(each, str) for each in stated):
        stated = ", ".join(stated)
    if stated == "other":
        stated = card.get("license_name") or stated
    return stated if isinstance(stated, str) and 0 < len(stated) <= _LONGEST_LICENSE else None


def _worth_knowing(
    source: CheckpointSource,
    config: ModelConfig,
    architecture: Architecture,
    quantization: Quantization,
    *,
    weights_are_there: bool,
    elsewhere: bool,
) -> Iterator[str]:
    if quantization and not quantization.get("quant_method"):
        yield "quantization_config names no quant_method: vLLM may need `quantization` set."
    if source.gated:
        yield "gated: workers need a token of an account that accepted the license (a Secret, `existingSecret`)."
    if source.revision is not None or elsewhere:
        pass
    elif weights_are_there:
        yield "`source` is a path on this machine: give the workers the same path, or put a hub id or bucket there."
    else:
        yield "no weights are there: set `source` to where they are served from."
    if not is_known(config):
        yield f"{architecture.name}: cache estimated as full attention in every layer, which may be too much."
        if config.get("auto_map"):
            yield (
                f"its repository brings code (`auto_map`): if vLLM has no {architecture.name} of its own, the model "
                "needs `trustRemoteCode: <why you trust it>`."
            )
    if architecture.quant_method:
        yield f"quantized with {architecture.quant_method}: check that the pool's GPUs can run it."


def _shorter_context(context: int, architecture: Architecture) -> Iterator[str]:
    positions = architecture.max_position_embeddings
    if context < positions:
        yield f"the tokenizer is set to {context:,} tokens, config.json to {positions:,}; the smaller is taken."


def suggest_model_id(name: str) -> str:
    """`org/Falcon-H1-0.5B-Instruct` → `falcon-h1-0.5b-instruct`: a-z, 0-9, '.' and '-', at most 63 characters."""
    plain = re.sub(r"[^a-z0-9.]+", "-", name.rsplit("/", 1)[-1].lower())
    return re.sub(r"\.{2,}", ".", plain)[:63].strip("-.") or "model"


def suggest_family(name: str) -> str:
    """The name up to the size (`-7B`, `_135M`, `-8x7B`, `-E4B`), without dots; the whole name where it has no size.

    `Falcon3-7B-Instruct` → `falcon3`, `Falcon-H1-1.5B-Deep-Instruct` → `falcon-h1`, `Llama-3.1-8B` → `llama-3-1`.
    """
    plain = suggest_model_id(name)
    size = re.search(r"(?<=.)-(\d+x)?e?\d+(\.\d+)?[bmt](?![a-z0-9])", plain)
    return re.sub(r"[.-]+", "-", plain[: size.start()] if size else plain)[:40].strip("-")
