"""Review by people: is the proposed mistake the first one of the wrong answer?

A person decides about one labelled tuple at a time (``decisions``); several people's files
are compared (``agreement``) and settled (``adjudication``), and what they settled on becomes
the label (``application``). ``exchange`` and ``label_studio`` carry decisions in and out.
"""

from judge_lightning.court.review.adjudication import Outcome, adjudicate, with_adjudicator
from judge_lightning.court.review.agreement import PairAgreement, agreements, cohen_kappa
from judge_lightning.court.review.application import apply_decisions
from judge_lightning.court.review.decisions import (
    Decision,
    DecisionLog,
    DecisionsFile,
    latest,
    read_decisions,
    read_reviews,
    tuple_id,
)
from judge_lightning.court.review.items import ReviewItem, review_item

__all__ = [
    "Decision",
    "DecisionLog",
    "DecisionsFile",
    "Outcome",
    "PairAgreement",
    "ReviewItem",
    "adjudicate",
    "agreements",
    "apply_decisions",
    "cohen_kappa",
    "latest",
    "read_decisions",
    "read_reviews",
    "review_item",
    "tuple_id",
    "with_adjudicator",
]
