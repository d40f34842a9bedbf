"""Decoders as lm-evaluation-harness sees them; importing ``evals.lm.model`` registers the class."""
