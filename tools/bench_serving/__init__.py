"""The serving path measured beside the engine alone: `make bench-serving`, described in docs/performance.md."""
