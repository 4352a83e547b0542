"""Turns a model catalog and an environment into the values of the ray-serve-llm chart."""

__version__ = "0.2.0"
