"""A model's architecture as the catalog keeps it: the keys of its config.json that sizing reads, in its own words.

This list is the only one: `add` keeps these keys of a configuration, and the plan gives them back to `sizing`, so
that a catalog and a config.json are sized by the same code. What a multimodal configuration says of its language
model is not nested here; `model_type` is then the language model's.
"""

from __future__ import annotations

from typing import Any, Literal

from generator.formats.fields import Closed, PositiveInt

Part = dict[str, Any]
"""A nested part of config.json, as it is there."""


class Architecture(Closed):
    """The fields of the model's own config.json that memory depends on, in its own words."""

    name: str
    """`architectures[0]`, such as LlamaForCausalLM."""
    model_type: str | None = None
    """The language model's, such as llama."""
    torch_dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    hidden_size: PositiveInt
    intermediate_size: PositiveInt | None = None
    num_hidden_layers: PositiveInt
    num_attention_heads: PositiveInt | None = None
    num_key_value_heads: PositiveInt | None = None
    head_dim: PositiveInt | None = None
    vocab_size: PositiveInt
    max_position_embeddings: PositiveInt
    tie_word_embeddings: bool = False
    is_causal: bool | None = None
    is_encoder_decoder: bool | None = None
    type_vocab_size: PositiveInt | None = None
    embedding_size: PositiveInt | None = None
    word_embed_proj_dim: PositiveInt | None = None
    rope_scaling: Part | None = None
    rope_parameters: Part | None = None
    rope_local_base_freq: float | None = None
    partial_rotary_factor: float | None = None

    # Attention of which not every layer keeps all tokens, or not every layer the same.
    layer_types: list[str] | None = None
    sliding_window: int | None = None
    sliding_window_size: int | None = None
    sliding_window_pattern: int | str | None = None
    use_sliding_window: bool | None = None
    attention_chunk_size: PositiveInt | None = None
    no_rope_layers: list[int] | None = None
    no_rope_layer_interval: PositiveInt | None = None
    multi_query: bool | None = None
    new_decoder_architecture: bool | None = None
    attn_config: Part | None = None
    attn_output_gate: bool | None = None
    block_configs: list[Part] | None = None
    attention_k_eq_v: bool | None = None
    global_head_dim: PositiveInt | None = None
    num_global_key_value_heads: PositiveInt | None = None
    num_kv_shared_layers: int | None = None
    hybrid_layer_pattern: list[int] | None = None
    swa_head_dim: PositiveInt | None = None
    swa_v_head_dim: PositiveInt | None = None
    swa_num_key_value_heads: PositiveInt | None = None

    # Multi-head latent attention.
    kv_lora_rank: PositiveInt | None = None
    """Width of the compressed cache of multi-head latent attention."""
    q_lora_rank: PositiveInt | None = None
    qk_nope_head_dim: PositiveInt | None = None
    qk_rope_head_dim: PositiveInt | None = None
    v_head_dim: PositiveInt | None = None
    index_head_dim: PositiveInt | None = None
    index_n_heads: PositiveInt | None = None
    index_topk_freq: PositiveInt | None = None
    index_topk_pattern: str | None = None
    index_skip_topk_offset: int | None = None
    compress_ratios: list[int] | None = None
    o_groups: PositiveInt | None = None
    o_lora_rank: PositiveInt | None = None
    hc_mult: PositiveInt | None = None

    # Recurrent layers: Mamba, gated delta nets, linear attention, short convolutions.
    expand: int | float | None = None
    state_size: PositiveInt | None = None
    conv_kernel: PositiveInt | None = None
    time_step_rank: int | str | None = None
    n_groups: PositiveInt | None = None
    num_heads: PositiveInt | None = None
    ssm_state_size: PositiveInt | None = None
    hybrid_override_pattern: str | None = None
    mamba_expand: int | float | None = None
    mamba_d_ssm: PositiveInt | None = None
    mamba_d_state: PositiveInt | None = None
    mamba_d_conv: PositiveInt | None = None
    mamba_dt_rank: int | str | None = None
    mamba_n_heads: PositiveInt | None = None
    mamba_d_head: int | str | None = None
    mamba_n_groups: PositiveInt | None = None
    mamba_num_heads: PositiveInt | None = None
    mamba_head_dim: PositiveInt | None = None
    mamba_headdim: PositiveInt | None = None
    mamba_ngroups: PositiveInt | None = None
    n_mamba_heads: PositiveInt | None = None
    mamba_ssm_cache_dtype: str | None = None
    mamba_ssm_dtype: str | None = None
    attn_layer_period: PositiveInt | None = None
    attn_layer_offset: int | None = None
    attn_layer_indices: list[int] | None = None
    attn_type_list: list[int] | None = None
    hybrid_layer_ids: list[int] | None = None
    attention_head_dim: PositiveInt | None = None
    num_mem_blocks: PositiveInt | None = None
    adapter_rank: PositiveInt | None = None
    use_shared_attention_adapter: bool | None = None
    full_attention_interval: PositiveInt | None = None
    full_attn_idxs: list[int] | None = None
    layer_group_size: PositiveInt | None = None
    linear_attn_config: Part | None = None
    linear_conv_kernel_dim: PositiveInt | None = None
    linear_key_head_dim: PositiveInt | None = None
    linear_value_head_dim: PositiveInt | None = None
    linear_num_key_heads: PositiveInt | None = None
    linear_num_value_heads: PositiveInt | None = None
    conv_L_cache: PositiveInt | None = None
    conv_dim: PositiveInt | None = None

    # Feed-forward parts, mixtures of experts, biases.
    num_experts: PositiveInt | None = None
    num_experts_per_tok: PositiveInt | None = None
    moe_intermediate_size: PositiveInt | None = None
    n_shared_experts: int | None = None
    shared_expert_intermediate_size: int | None = None
    moe_shared_expert_intermediate_size: int | None = None
    shared_intermediate_size: int | None = None
    moe_latent_size: PositiveInt | None = None
    first_k_dense_replace: int | None = None
    moe_layer_freq: int | list[int] | None = None
    moe_layers: list[int] | str | None = None
    mlp_only_layers: list[int] | None = None
    mlp_layer_types: list[str] | None = None
    min_moe_intermediate_per_partition: PositiveInt | None = None
    expert_layer_period: PositiveInt | None = None
    expert_layer_offset: int | None = None
    interleave_moe_layer_step: int | None = None
    decoder_sparse_step: int | None = None
    moe_layer_interval: int | None = None
    expert_dtype: str | None = None
    num_nextn_predict_layers: int | None = None
    """Layers of multi-token prediction (DeepSeek, GLM); the next two are other models' words."""
    mtp_num_hidden_layers: int | None = None
    num_mtp_modules: int | None = None
    intermediate_size_mlp: PositiveInt | None = None
    ff_intermediate_size: PositiveInt | None = None
    block_ff_dim: PositiveInt | None = None
    block_auto_adjust_ff_dim: bool | None = None
    block_ffn_dim_multiplier: float | None = None
    block_multiple_of: PositiveInt | None = None
    use_double_wide_mlp: bool | None = None
    hidden_size_per_layer_input: int | None = None
    vocab_size_per_layer_input: PositiveInt | None = None
    altup_num_inputs: PositiveInt | None = None
    laurel_rank: PositiveInt | None = None
    attention_bias: bool | None = None
    qkv_bias: bool | None = None
    mlp_bias: bool | None = None
    projectors_bias: bool | None = None
    mamba_proj_bias: bool | None = None
    mamba_conv_bias: bool | None = None
    use_conv_bias: bool | None = None
    mamba_rms_norm: bool | None = None

    # Towers of other modalities.
    vision_config: Part | None = None
    audio_config: Part | None = None
    spatial_merge_size: PositiveInt | None = None
    mm_tokens_per_image: PositiveInt | None = None

    # Draft models.
    draft_vocab_size: PositiveInt | None = None
    target_hidden_size: PositiveInt | None = None

    # Encoders and decoders.
    encoder_layers: PositiveInt | None = None
    encoder_ffn_dim: PositiveInt | None = None
    num_mel_bins: PositiveInt | None = None
    max_target_positions: PositiveInt | None = None
    decoder_layers: PositiveInt | None = None
    decoder_attention_heads: PositiveInt | None = None
    max_source_positions: PositiveInt | None = None

    quantization_config: Part | None = None
    """As config.json has it, without its long lists of layers."""

    @property
    def quant_method(self) -> str | None:
        """Such as fp8, awq or gptq; None where weights have the checkpoint's own type."""
        stated = (self.quantization_config or {}).get("quant_method")
        return str(stated) if stated else None

    def config_json(self) -> dict[str, Any]:
        """What sizing reads of the config.json that this was read from."""
        return {"architectures": [self.name], **self.model_dump(exclude_none=True, exclude={"name"})}
