"""Task files for lm-evaluation-harness and the functions that they name.

lm-eval finds model classes by import alone. Its own command imports what a task's file names before
it looks for the model, so whoever gives it one of our files (``--tasks .../micro_word.yaml``) gets
our model class with it; ``judge-eval`` needs no such help.
"""

from evals.lm.model import JudgeDecodingLM

__all__ = ["JudgeDecodingLM"]
