"""What the Makefile and people run beside the generator: set-up, extractors, benchmarks, a cluster."""
