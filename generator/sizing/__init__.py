"""The memory of one GPU under one model, from the model's own config.json: weights, cache, and what else vLLM takes."""

GIB = 2**30
"""Bytes of a GiB."""
