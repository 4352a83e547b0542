"""The memory of one GPU under one model, from the model's own config.json: weights, cache, and what else vLLM takes."""
