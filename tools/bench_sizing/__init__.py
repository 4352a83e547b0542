"""What `fit` predicts, held against what vLLM logged."""
