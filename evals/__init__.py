"""Quality: the lm-eval adapter and its task files."""
