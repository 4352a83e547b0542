"""Every matrix of a model by name, layer for layer. Takes its config.json and the layers' caches, gives their matrices.

What a layer caches tells what it is made of: keys and values mean attention, a state means a recurrent mixer. Forms:
transformers' modeling files and `vllm/model_executor/models/` 0.29.0. Names are those of the checkpoints, since
quantization names the layers it leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, assert_never

from generator.facts.files import read_data
from generator.sizing.cache.attention import head_dim, kv_heads, layer_kinds
from generator.sizing.cache.specs import (
    AttentionSpec,
    CacheLayers,
    CacheSpec,
    CrossAttentionSpec,
    MambaSpec,
    MlaSpec,
    PackedMlaSpec,
)
from generator.sizing.config import towers
from generator.sizing.config.architectures import makes_vectors
from generator.sizing.config.config import ModelConfig
from generator.sizing.weights import eagle
from generator.sizing.weights.attention import attention, indexer, latent_attention, packed_latent, zamba2_joint
from generator.sizing.weights.feed_forward import feed_forward, feed_forward_kind
from generator.sizing.weights.matrix import Matrix, Sharding
from generator.sizing.weights.recurrent import MIXERS

Ends = Literal["", "embedding", "both"]
_BERTS = ("bert", "roberta", "xlm-roberta")
_EMBEDDINGS = ("embed_tokens", "embed_tokens_per_layer", "per_layer_model_projection", "positions", "token_types")


@dataclass(frozen=True)
class ModelMatrices:
    """A model's matrices: by decoder layer, and those at its ends."""

    layers: list[tuple[Matrix, ...]]
    first: tuple[Matrix, ...]
    """Embeddings, which the first pipeline stage holds, and towers."""
    last: tuple[Matrix, ...]
    """The output head, on the last stage."""
    tied: bool
    draft_like: int
    """Index of the layer that a layer of multi-token prediction is like."""
    on_every_stage: Ends = ""
    """What each pipeline stage holds of the vocabulary, and not only the first its embedding and the last its head."""

    @property
    def embeddings(self) -> tuple[Matrix, ...]:
        """Of `first`, what makes vectors of tokens."""
        return tuple(matrix for matrix in self.first if matrix.name in _EMBEDDINGS)

    @property
    def parameters(self) -> int:
        sizes: dict[int, int] = {}
        for layer in self.layers:
            if id(layer) not in sizes:
                sizes[id(layer)] = sum(matrix.parameters for matrix in layer)
        ends = (*self.first, *(() if self.tied else self.last))
        return sum(sizes[id(layer)] for layer in self.layers) + sum(matrix.parameters for matrix in ends)


def model_matrices(config: ModelConfig, caches: CacheLayers, *, text_only: bool = False) -> ModelMatrices:
    """Return the matrices of the whole model. Raises UserError where the configuration lacks a size."""
    hidden, vocabulary = config.needed("hidden_size"), config.needed("vocab_size")
    layers = decoder(config, caches)
    if generation := eagle.generation_of(config):
        norm = Matrix(name="final_norm", rows=1, columns=hidden, sharding="replicated", linear=False)
        return ModelMatrices(
            eagle.layers_of(layers, generation),
            (norm, eagle.joined(config, generation)),
            eagle.head_of(config, generation),
            tied=False,
            draft_like=len(layers) - 1,
        )
    head = Matrix(name="lm_head", rows=vocabulary, columns=_vector(config), sharding="vocab")
    like = caches.draft_like
    return ModelMatrices(
        layers,
        tuple(_first(config, len(layers), text_only=text_only)),
        () if is_encoder(config, caches) or makes_vectors(config) else (head,),
        tied=is_tied(config),
        draft_like=len(layers) - 1 if like is None else like,
        on_every_stage=_on_every_stage(config),
    )


def _first(config: ModelConfig, layers: int, *, text_only: bool) -> Iterator[Matrix]:
    """Embeddings, and what stands beside a language model of so many decoder layers."""
    hidden, vocabulary = config.needed("hidden_size"), config.needed("vocab_size")
    # Whisper's embedding is repeated (vllm/model_executor/models/whisper.py).
    divided: Sharding = "replicated" if config.model_type == "whisper" else "vocab"
    yield Matrix(name="embed_tokens", rows=vocabulary, columns=_vector(config), sharding=divided, linear=False)
    yield Matrix(name="final_norm", rows=1, columns=hidden, sharding="replicated", linear=False)
    if config.model_type in ("gpt2", "opt", "gpt_bigcode", "whisper", *_BERTS):
        positions = config.integer("max_position_embeddings") or config.integer("max_target_positions") or 0
        kept: Sharding = "vocab" if config.model_type in _BERTS else "replicated"
        yield Matrix(name="positions", rows=positions, columns=hidden, sharding=kept, linear=False)
        if types := config.whole("type_vocab_size", 0):
            yield Matrix(name="token_types", rows=types, columns=hidden, sharding=kept, linear=False)
    small = config.whole("hidden_size_per_layer_input", 0)
    if small:  # Gemma 3n and 4: a second embedding with a vector for every layer
        rows = config.integer("vocab_size_per_layer_input") or vocabulary
        inputs = small * layers
        yield Matrix(name="embed_tokens_per_layer", rows=rows, columns=inputs, sharding="vocab", linear=False)
        yield Matrix(name="per_layer_model_projection", rows=inputs, columns=hidden)
    if streams := config.whole("altup_num_inputs", 0):  # Gemma 3n's residual streams, in and out
        yield Matrix(name="altup_projections", rows=2 * (streams - 1) * hidden, columns=hidden)
    if config.integer("encoder_layers") and not text_only:
        yield Matrix(
            name="encoder_inputs", rows=_encoder_inputs(config), columns=hidden, sharding="replicated", linear=False
        )
        yield Matrix(name="encoder", rows=1, columns=_encoder(config), linear=False)
    elif not text_only:
        beside = towers.tower_parameters(config)
        if beside:
            sharding: Sharding = "replicated" if towers.is_repeated(config) else "column"
            yield Matrix(name="tower", rows=1, columns=beside, sharding=sharding, linear=False)


def _vector(config: ModelConfig) -> int:
    """Entries of a token's vector in the embedding and before the output head."""
    words = ("embedding_size", "word_embed_proj_dim", "hidden_size")
    return next(entries for word in words if (entries := config.integer(word)))


def _on_every_stage(config: ModelConfig) -> Ends:
    known, inner = read_data("memory.yaml")["onEveryStage"], config.text.get("architectures")
    names = [config.named, *(inner if isinstance(inner, list) else ())]
    ends: tuple[Ends, ...] = ("embedding", "both")
    return next((e for e in ends if any(n in known[e] for n in names) or config.model_type in known[f"{e}Types"]), "")


def is_tied(config: ModelConfig) -> bool:
    """Whether the output head is the embedding. What configurations leave out is the default of their class."""
    stated = config.get("tie_word_embeddings")
    if isinstance(stated, bool):
        return stated
    return config.model_type.removesuffix("_text") in read_data("memory.yaml")["tiedByDefault"]


def _encoder(config: ModelConfig) -> int:
    """Parameters of the layers of an encoder of text or speech (Whisper, BART)."""
    hidden = config.needed("hidden_size")
    inner = config.integer("encoder_ffn_dim") or 4 * hidden
    return (config.integer("encoder_layers") or 0) * (4 * hidden * hidden + 2 * hidden * inner + 9 * hidden)


def _encoder_inputs(config: ModelConfig) -> int:
    """Rows of an encoder's convolutions over speech (of three entries) and of its positions."""
    mels = config.whole("num_mel_bins", 0)
    convolutions = 3 * (mels + config.needed("hidden_size")) if mels else 0
    return convolutions + config.whole("max_source_positions", 0)


def draft_layers(config: ModelConfig) -> int:
    """Layers of multi-token prediction in the checkpoint."""
    words = ("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules")
    return next((layers for word in words if (layers := config.more_layers(word))), 0)


def draft_matrices(config: ModelConfig, model: ModelMatrices, count: int) -> tuple[Matrix, ...]:
    """Layers of multi-token prediction: each like one of the decoder's, and a projection of two hidden states."""
    if not count or not model.layers:
        return ()
    hidden = config.needed("hidden_size")
    joined = Matrix(name="eh_proj", rows=hidden, columns=2 * hidden, sharding="replicated")
    return (*model.layers[model.draft_like], joined) * count


def decoder(config: ModelConfig, caches: CacheLayers) -> list[tuple[Matrix, ...]]:
    """The matrices of every decoder layer, in order; layers of one kind share a tuple.

    Raises UserError where a size is missing.
    """
    shared = config.whole("num_kv_shared_layers", 0)
    blocks = config.integer("num_mem_blocks") if config.model_type == "zamba2" else None
    types = (layer_kinds(config) if shared else None) or (None,) * len(caches.layers)
    attending, encodes = 0, is_encoder(config, caches)
    layers: list[tuple[Matrix, ...]] = []
    kinds: dict[object, tuple[Matrix, ...]] = {}
    for index, cached in enumerate(caches.layers):
        joined = blocks is not None and len(cached) > 1
        kept = (_encoding(config),) if encodes else cached
        if not cached and shared:  # they read another layer's cache with queries of their own
            alike = [
                layer for layer, kind in zip(caches.layers, types, strict=False) if kind in types[index : index + 1]
            ]
            kept = next((layer for layer in (*alike, *caches.layers) if layer), ())
        attending += len(cached) > 1
        if blocks is not None and joined and attending > blocks:
            kept = cached[:1]  # Zamba 2 attends with the same few blocks' weights at all its places
        kind = (kept, feed_forward_kind(config, index, kept, len(caches.layers) - shared), joined)
        if kind not in kinds:
            beside = zamba2_joint(config) if joined else ()
            kinds[kind] = (*_mixer(config, kept), *feed_forward(config, kind[1]), *beside, *_norms(config))
        layers.append(kinds[kind])
    return layers


def is_encoder(config: ModelConfig, caches: CacheLayers) -> bool:
    """Whether the model attends and keeps nothing: it makes vectors, and has no output head."""
    return not caches.caches and config.integer("num_attention_heads") is not None


def _encoding(config: ModelConfig) -> AttentionSpec:
    return AttentionSpec(heads=kv_heads(config), key_dim=head_dim(config), value_dim=head_dim(config))


def _mixer(config: ModelConfig, cached: tuple[CacheSpec, ...]) -> Iterator[Matrix]:
    for cache in cached:
        match cache:
            case AttentionSpec() if config.integer("kv_lora_rank") and config.model_type == "minicpm3":
                yield from latent_attention(config)  # computed from latents, and cached as keys and values
            case AttentionSpec():
                yield from attention(config, cache, "self_attn")
            case CrossAttentionSpec(heads=heads, key_dim=dim):
                yield from attention(config, AttentionSpec(heads=heads, key_dim=dim, value_dim=dim), "encoder_attn")
            case MlaSpec(bytes_each=None):
                yield from latent_attention(config)
            case MlaSpec():
                yield from indexer(config)
            case PackedMlaSpec():
                yield from packed_latent(config, cache)
            case MambaSpec():
                yield from MIXERS[cache.kind](config, cache)
            case _:
                assert_never(cache)


def _norms(config: ModelConfig) -> Iterator[Matrix]:
    per_layer = 4 if config.model_type.startswith("gemma") else 2
    yield Matrix(
        name="norms", rows=per_layer, columns=config.needed("hidden_size"), sharding="replicated", linear=False
    )
    small, hidden = config.whole("hidden_size_per_layer_input", 0), config.needed("hidden_size")
    if rank := config.whole("laurel_rank", 0):  # Gemma 3n's path beside attention
        yield Matrix(name="laurel.linear_left", rows=rank, columns=hidden)
        yield Matrix(name="laurel.linear_right", rows=hidden, columns=rank)
    if small:
        yield Matrix(name="per_layer_input_gate", rows=small, columns=hidden, sharding="replicated")
        yield Matrix(name="per_layer_projection", rows=hidden, columns=small, sharding="replicated")
