"""Task files for lm-evaluation-harness and the scoring that they name."""
