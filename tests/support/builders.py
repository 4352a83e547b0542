"""Small catalogs and environments for tests, with every field that a test does not speak of filled in."""

from __future__ import annotations

from typing import Any

from generator.formats.catalog import Architecture, Catalog, CatalogFile, CatalogModel, Needs, Weights
from generator.formats.environment import Environment


def llama(**fields: Any) -> Architecture:
    """An architecture of Falcon3-7B's size."""
    return Architecture(
        **{
            "name": "LlamaForCausalLM",
            "hidden_size": 3072,
            "intermediate_size": 23040,
            "num_hidden_layers": 28,
            "num_attention_heads": 12,
            "num_key_value_heads": 4,
            "head_dim": 256,
            "vocab_size": 131072,
            "max_position_embeddings": 32768,
            **fields,
        }
    )


def falcon_h1(**fields: Any) -> Architecture:
    """The architecture of Falcon-H1-0.5B."""
    return llama(
        **{
            "name": "FalconH1ForCausalLM",
            "hidden_size": 1024,
            "intermediate_size": 2048,
            "num_hidden_layers": 36,
            "num_attention_heads": 8,
            "num_key_value_heads": 2,
            "head_dim": 64,
            "vocab_size": 32784,
            "max_position_embeddings": 16384,
            "mamba_d_ssm": 1536,
            "mamba_d_state": 128,
            "mamba_d_conv": 4,
            "mamba_n_heads": 24,
            "mamba_d_head": 64,
            "mamba_n_groups": 1,
            **fields,
        }
    )


def model(
    architecture: Architecture | None = None, *, billions: float = 7.456, context: int = 8192, sequences: int = 64
) -> CatalogModel:
    parameters = int(billions * 1e9)
    return CatalogModel(
        source="org/name",
        needs=Needs(context=context, sequences=sequences),
        architecture=architecture or llama(),
        weights=Weights(parameters=parameters, bytes={"BF16": parameters * 2}),
    )


def catalog(**families: dict[str, CatalogModel]) -> Catalog:
    files = {name: CatalogFile(family=name, models=models) for name, models in families.items()}
    return Catalog(families=files, files={})


def environment(pools: dict[str, Any], *, serve: dict[str, Any] | None = None, **fields: Any) -> Environment:
    served = {"family": {}} if serve is None else serve
    return Environment.model_validate({"namespace": "ai", "ray": "2.60.0", "pools": pools, "serve": served, **fields})
