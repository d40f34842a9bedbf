"""MT-Bench: two-turn answers of every decoder, graded by a model (arXiv 2306.05685)."""
