"""The acceptance rules, for import: ``from judge_lightning.verifiers import Exact, Judge``."""

from judge_lightning.decoding.verifiers.autojudge import AutoJudge
from judge_lightning.decoding.verifiers.block_verification import BlockVerification
from judge_lightning.decoding.verifiers.compose import Standard, all_of, any_of
from judge_lightning.decoding.verifiers.divergence import Divergence
from judge_lightning.decoding.verifiers.ensemble import Ensemble
from judge_lightning.decoding.verifiers.exact import Exact
from judge_lightning.decoding.verifiers.judge import Judge
from judge_lightning.decoding.verifiers.judge_alone import JudgeAlone
from judge_lightning.decoding.verifiers.loose import Loose
from judge_lightning.decoding.verifiers.margin import Margin
from judge_lightning.decoding.verifiers.registry import make_rule, rule_names
from judge_lightning.decoding.verifiers.relaxed import Relaxed
from judge_lightning.decoding.verifiers.rule import Opinion, TokenRule
from judge_lightning.decoding.verifiers.top_k import TopK
from judge_lightning.decoding.verifiers.typical import Typical
from judge_lightning.decoding.verifiers.verdict import Block, Verdict, Verifier

__all__ = [
    "AutoJudge",
    "Block",
    "BlockVerification",
    "Divergence",
    "Ensemble",
    "Exact",
    "Judge",
    "JudgeAlone",
    "Loose",
    "Margin",
    "Opinion",
    "Relaxed",
    "Standard",
    "TokenRule",
    "TopK",
    "Typical",
    "Verdict",
    "Verifier",
    "all_of",
    "any_of",
    "make_rule",
    "rule_names",
]
