"""Runs side by side: ``python -m pipelines.compare RUN RUN ...`` (docs/comparing.md)."""
