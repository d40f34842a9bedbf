"""The acceptance rules, for import: ``from judge_lightning.verifiers import Exact, Judge``."""

from judge_lightning.decoding.verifiers.exact import Exact
from judge_lightning.decoding.verifiers.judge import Judge
from judge_lightning.decoding.verifiers.verdict import Block, Verdict, Verifier

__all__ = ["Block", "Exact", "Judge", "Verdict", "Verifier"]
