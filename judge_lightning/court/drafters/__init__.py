"""Drafters: who answers the prompts, one kind of author a file.

``local`` models write in batches, ``endpoint`` asks a chat, ``text`` and ``reference`` hand in what
was written before. All give *drafts*, which the checkers then turn into answers (``drafts``).
"""

from judge_lightning.court.batches import stop_tokens
from judge_lightning.court.drafters.drafts import Author, Draft, Drafts, check_drafts
from judge_lightning.court.drafters.local import Drafter, LocalAuthor, generate_answers

__all__ = [
    "Author",
    "Draft",
    "Drafter",
    "Drafts",
    "LocalAuthor",
    "check_drafts",
    "generate_answers",
    "stop_tokens",
]
