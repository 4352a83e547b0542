"""Tiny checkpoints for every way of serving: a mixture, a draft, adapters, and models of other tasks.

    python -m tools.way_checkpoints --output FOLDER

Each is of a real architecture that vLLM's CPU engine runs, and is taught for a few seconds, so that its answers are
clear (tools/tiny_checkpoints.py). Needs the Python that has torch, transformers and peft.
"""
