"""Made-up examples for the token view."""

from __future__ import annotations

from dataclasses import replace

from evals.example_choice import AS_IT_COMES, COST, ELSEWHERE, GAIN
from evals.examples import Example
from evals.shown_tokens import ShownToken
from evals.token_chances import Chance

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script> &amp; \u202e drow \x00\x1b[31m"

PLAIN = Example(
    reason=AS_IT_COMES,
    prompt_id="word-0",
    family="word",
    prompt="Tom has 12 apples. How many?",
    reference="15",
    tokens=[
        ShownToken("First", "both", 0.97, target=Chance(0.9, 1), draft=Chance(0.8, 1)),
        ShownToken(" we", "judge", 0.812, target=Chance(0.0123, 4), draft=Chance(0.561, 1)),
        ShownToken(
            " get",
            "target",
            instead_of=" gets",
            instead_probability=0.02,
            target=Chance(0.75, 1),
            draft=Chance(0.2, 2),
            instead_target=Chance(1e-9, 90),
            instead_draft=Chance(0.7, 1),
        ),
        ShownToken(" 15", "standard", 0.31, target=Chance(1.0, 1), draft=Chance(1.0, 1)),
        ShownToken(".\n", "target", target=Chance(1.0, 1), draft=Chance(1.0, 1)),
        ShownToken("", "both", 0.99, target=Chance(1.0, 1), draft=Chance(1.0, 1), spelt="<|end|>"),
    ],
    right=True,
    cycles=3,
    exact_cycles=5,
    target_text="First I get 15.\n",
    target_right=True,
    proposed=[4, 1, 3],
    threshold=0.5,
)
SAME = replace(PLAIN, prompt_id="word-1", prompt="The same again?", target_text=PLAIN.text)
WRONG = replace(PLAIN, prompt_id="word-2", reason=COST, prompt="Turned wrong?", right=False)
RIGHT = replace(
    PLAIN, prompt_id="code-0", reason=GAIN, family="code", prompt="Ours?", target_right=False
)
OLDER = replace(
    PLAIN,
    prompt_id="choice-0",
    reason=ELSEWHERE,
    family="choice",
    prompt="From an older file?",
    tokens=[ShownToken(token.text, token.fate, token.probability) for token in PLAIN.tokens],
    proposed=None,
    threshold=None,
)
EVIL = replace(
    PLAIN,
    prompt_id=HOSTILE,
    family='"><script>alert(3)</script>',
    prompt=HOSTILE,
    reference=HOSTILE,
    target_text=HOSTILE + "\u2067",
    tokens=[
        *(ShownToken(character, "judge", 0.9) for character in HOSTILE),
        ShownToken("שלום", "both", 0.9),
        ShownToken("x", "target", instead_of="<script>\u202e", instead_probability=0.1),
    ],
    proposed=[99],
)
EXAMPLES = [PLAIN, SAME, WRONG, RIGHT, OLDER, EVIL]
