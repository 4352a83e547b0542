"""A model as sizing sees it: its configuration, and what follows from that alone, derived once."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from generator.facts.vllm_memory import Range, memory_behaviour
from generator.sizing.cache.layout import CacheLayout, cache_layout
from generator.sizing.cache.pages import CacheOptions
from generator.sizing.cache.rules import cache_layers
from generator.sizing.cache.specs import CacheLayers, LayerSpecs
from generator.sizing.config.config import ModelConfig
from generator.sizing.config.rotary import default_context, positions_of
from generator.sizing.memo import memoized
from generator.sizing.overhead import Step, activation_gib
from generator.sizing.weights.decoder import ModelMatrices, is_encoder, model_matrices
from generator.sizing.weights.divisions import division_refusal
from generator.sizing.weights.quantization import Quantization, quantization_of
from generator.sizing.weights.rank import WeightOptions, Weights, rank_weights
from generator.sizing.weights.stored import StoredModel


class Model:
    """`checkpoint_bytes`: what vLLM loads of the whole model's files, where that is known."""

    def __init__(self, config: ModelConfig, *, checkpoint_bytes: float | None = None) -> None:
        self.config = config
        self.checkpoint_bytes = checkpoint_bytes

    @cached_property
    def caches(self) -> CacheLayers:
        return cache_layers(self.config)

    @cached_property
    def positions(self) -> int:
        """Tokens of a request at the most; 0 where the configuration does not say."""
        return positions_of(self.config)

    @memoized
    def default_context(self, vllm: str) -> int:
        """Tokens of a request where nothing is asked for."""
        return default_context(self.config, vllm)

    @cached_property
    def takes_whole_prompts(self) -> bool:
        """Whether a step must hold a whole prompt: an encoder attends both ways (`vllm/config/model.py`)."""
        return is_encoder(self.config, self.caches) or self.config.get("is_encoder_decoder") is True

    @memoized
    def layout(self, options: CacheOptions, *, drafts: LayerSpecs = ()) -> CacheLayout:
        """The cache of one GPU, split as `options` says, with that of a draft's layers."""
        anywhere = replace(options, compute_capability=CacheOptions.compute_capability)
        if self.caches.state is None and options != anywhere:  # only kernels of states differ by the GPU's generation
            return self.layout(anywhere, drafts=drafts)
        caches = self.caches
        if drafts:
            least, most = (None if bound is None else bound + drafts for bound in (caches.least, caches.most))
            caches = replace(caches, layers=caches.layers + drafts, least=least, most=most)
        return cache_layout(caches, options)

    @memoized
    def scheme(self, requested: str | None) -> Quantization | None:
        """The quantization of the checkpoint, or the one that the engine is asked to make."""
        return quantization_of(self.config, requested)

    @memoized
    def division_refusal(self, tensor: int) -> str:
        """Why vLLM cannot divide the model's heads and widths by `tensor`, in words; empty where it can."""
        return division_refusal(self.config, self.caches, tensor)

    @memoized
    def activation(self, step: Step, *, quantization: str | None, vllm: str) -> Range:
        """The peak of a profile run in vLLM `vllm` (GiB of the fullest GPU); `quantization` as `scheme` takes it."""
        return activation_gib(self.config, self.caches, self.scheme(quantization), step, memory_behaviour(vllm))

    @memoized
    def matrices(self, *, text_only: bool = False) -> ModelMatrices:
        """Every matrix; `text_only`: without the towers of other modalities."""
        return model_matrices(self.config, self.caches, text_only=text_only)

    @memoized
    def stored(self, quantization: str | None = None, *, text_only: bool = False) -> StoredModel:
        """The matrices in the formats of the checkpoint, or of the quantization that the engine is asked to make."""
        return StoredModel(self.matrices(text_only=text_only), self.scheme(quantization))

    @memoized
    def weights(self, options: WeightOptions) -> Weights:
        """Bytes of weights on the fullest GPU."""
        stored = self.stored(options.quantization, text_only=options.text_only)
        return rank_weights(self.config, self.caches, stored, options, checkpoint_bytes=self.checkpoint_bytes)
