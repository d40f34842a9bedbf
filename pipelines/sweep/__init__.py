"""The jobs of a multirun on one page: ``python -m pipelines.sweep FOLDER`` renders it again."""
