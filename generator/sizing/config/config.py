"""What a config.json says, whichever release of transformers wrote it. Takes its data, gives values or clear faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from generator.errors import UserError, cut
from generator.facts.files import read_data

# transformers 5 `PreTrainedConfig.get_text_config`, and the words of models whose own classes answer it.
TEXT_PARTS = ("text_config", "llm_config", "language_config", "decoder", "generator", "thinker_config")
# Other words for max_position_embeddings (vllm/transformers_utils/model_arch_config_convertor.py).
POSITIONS = (
    "n_positions",
    "max_seq_len",
    "seq_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
# The attribute maps of transformers' configurations: one value, many words.
_OTHER_WORDS: Mapping[str, tuple[str, ...]] = {
    "hidden_size": ("n_embd", "d_model", "model_dim"),
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers", "encoder_layers"),  # the last is Whisper's
    "num_attention_heads": ("n_head", "n_heads", "decoder_attention_heads"),  # the last is Whisper's
    "num_key_value_heads": ("n_head_kv", "num_kv_heads", "n_kv_heads", "multi_query_group_num", "num_attention_groups"),
    "intermediate_size": ("ffn_hidden_size", "n_inner", "ffn_dim"),
    "max_position_embeddings": POSITIONS,
    "head_dim": ("attention_head_dim", "hidden_size_per_head", "kv_channels"),
    "num_experts": ("n_routed_experts", "num_local_experts", "moe_num_experts"),
    "num_experts_per_tok": ("num_experts_per_token", "experts_per_token", "moe_k", "moe_topk", "top_k_experts"),
    "moe_intermediate_size": ("expert_intermediate_size", "moe_ffn_hidden_size"),
    "n_shared_experts": ("num_shared_experts", "moe_num_shared_experts", "num_shared_expert"),
    "first_k_dense_replace": ("moe_layer_start_index", "num_dense_layers"),
    "moe_layers": ("moe_layers_enum",),
    "vision_config": ("vision_model", "img_processor", "visual", "vit_config"),
    "layer_types": ("layers_block_type",),
}
MOST_LAYERS = 2_000
MOST_FACTOR = 10_000
"""By which one size is said to be larger than another; no model has more than 8."""
_STATED = {"num_attention_heads", "intermediate_size", "vocab_size", "max_position_embeddings"}
_BY_LAYER = (
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "moe_intermediate_size",
    "num_experts_per_tok",
)
"""Sizes that some models say layer by layer, as a list."""


@dataclass(frozen=True)
class ModelConfig:
    data: Mapping[str, Any]
    where: str
    """The file, for faults."""
    complete: bool = False
    """Nothing is left out, as in the catalog: a key that is missing is null."""
    fix: str = "Copy or download the file again."
    """What to do about a fault in it."""
    warnings: tuple[str, ...] = ()
    """What people should know of what was set in it."""

    @cached_property
    def _parts(self) -> tuple[Mapping[str, Any], ...]:
        """From the language model's part to the whole. Qwen's omni models have one between, which has their towers."""
        parts: tuple[Mapping[str, Any], ...] = (self.data,)
        while inner := [part for key in TEXT_PARTS if isinstance(part := parts[0].get(key), dict)]:
            parts = (inner[0], *parts)
        return parts

    @property
    def text(self) -> Mapping[str, Any]:
        """The part about the language model, which is what is served of a multimodal one; else the whole."""
        return self._parts[0]

    @property
    def model_type(self) -> str:
        """The language model's `model_type`, such as llama; empty where nothing says it."""
        return str(self.text.get("model_type") or self.data.get("model_type") or "")

    @property
    def dtype(self) -> str:
        """The checkpoint's type, such as bfloat16, which is also taken where nothing is said."""
        return str(self.get("torch_dtype") or self.get("dtype") or "bfloat16").removeprefix("torch.")

    def get(self, key: str, default: Any = None) -> Any:
        """The value by any of its words, `default` where it is null. The language model's part comes first.

        A key that is left out has what the model type's class fills in (`data/config_defaults.json`). Of the sizes that
        every model states that holds in a part of a larger configuration only: a whole file without them is not whole.
        """
        for config in self._parts:
            for word in (key, *_OTHER_WORDS.get(key, ())):
                if config.get(word) is not None:
                    return config[word]
        stated = self.complete or any(key in config for config in self._parts)
        if stated or (key in _STATED and self.text is self.data):
            return default
        return read_data("config_defaults.json")["defaults"].get(self.model_type, {}).get(key, default)

    def integer(self, key: str) -> int | None:
        """A whole number above 0; of a list by layer, the largest. Raises UserError where it is something else."""
        value = max(by_layer) if (by_layer := self._by_layer(key)) else self.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UserError(
                f"`{key}` is {cut(repr(value))}, not a whole number above 0", where=self.where, fix=self.fix
            )
        return value

    def _by_layer(self, key: str) -> list[int]:
        """A size for each layer; empty where it is said once, or not at all."""
        value = self.get(key) if key in _BY_LAYER else None
        return value if isinstance(value, list) and all(isinstance(item, int) for item in value) else []

    @cached_property
    def approximations(self) -> tuple[str, ...]:
        """What people should know of sizes that are not taken as they are said."""
        differing = [(key, sizes) for key in _BY_LAYER if len(set(sizes := self._by_layer(key))) > 1]
        return tuple(
            f"`{key}` differs by layer; the largest, {max(sizes)}, is taken for all" for key, sizes in differing
        )

    def word(self, key: str) -> str | None:
        """A text; None where nothing is said, or something else."""
        value = self.get(key)
        return value if isinstance(value, str) else None

    def listed(self, key: str) -> list[Any]:
        """A list; empty where nothing is said, or something else."""
        value = self.get(key)
        return value if isinstance(value, list) else []

    @property
    def layers(self) -> int:
        """Decoder layers. Raises UserError where there are none, or more than a model can have.

        Nemotron 3 Ultra says them by its list of layers alone, as transformers 5 writes it.
        """
        count = self.integer("num_hidden_layers") or len(self.listed("layer_types")) or self.needed("num_hidden_layers")
        return self._bounded(count, "num_hidden_layers")

    def more_layers(self, key: str) -> int:
        """Layers beside the decoder's; 0 where it has none. Raises UserError where a model cannot have as many."""
        return self._bounded(self.whole(key, 0), key)

    def _bounded(self, count: int, key: str) -> int:
        if count > MOST_LAYERS:
            what = f"`{key}` is {count:,}"
            raise UserError(what, where=self.where, fix=f"No model has more than {MOST_LAYERS:,}: is the file whole?")
        return count

    def needed(self, key: str) -> int:
        """`integer`, of a key that every language model has. Raises UserError where it is missing."""
        value = self.integer(key)
        if value is None:
            stated = any(key in config for config in self._parts)
            raise UserError(
                f"`{key}` is null, or a number that no size has" if stated else f"`{key}` is missing",
                where=self.where,
                fix=f"A language model's config.json says its {key}: is this the right file, and whole?",
            )
        return value

    def whole(self, key: str, default: int) -> int:
        """A whole number, 0 included; `default` where it is missing. Raises UserError where it is something else."""
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise UserError(f"`{key}` is {cut(repr(value))}, not a whole number", where=self.where, fix=self.fix)
        return value

    def factor(self, key: str, default: float) -> float:
        """A number above 0; `default` where nothing is said. Raises UserError where it is something else."""
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= MOST_FACTOR:
            raise UserError(f"`{key}` is {cut(repr(value))}, not a number above 0", where=self.where, fix=self.fix)
        return value

    def part(self, key: str) -> ModelConfig:
        """A nested part, with what it does not say being missing; empty where nothing is said, or something else."""
        value = self.get(key)
        return replace(self, data=value if isinstance(value, Mapping) else {}, complete=True)

    @property
    def architecture(self) -> str:
        """`architectures[0]`: the whole model's, which is what vLLM knows it by."""
        if not self.named:
            stated = self.data.get("architectures") or self.get("architectures")
            what = f"is {cut(repr(stated))}, not a list with the name of a class" if stated else "is missing"
            fix = 'Write it such as "architectures": ["LlamaForCausalLM"].'
            raise UserError(f"`architectures` {what}", where=self.where, fix=fix)
        return self.named

    @property
    def named(self) -> str:
        """`architecture`, empty where nothing says it. It is the name of a class in Python."""
        named = self.data.get("architectures") or self.get("architectures")
        first = named[0] if isinstance(named, list) and named else None
        return first if isinstance(first, str) and first.isidentifier() and len(first) <= 100 else ""
