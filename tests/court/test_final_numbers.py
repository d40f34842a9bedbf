r"""Which number an answer comes to; the text's \n are line breaks."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge_lightning.court.checkers import check
from judge_lightning.court.final_numbers import final_number
from judge_lightning.court.records import Prompt

MARKS = r"""
First 3 + 4 = 7.\n#### 1,234 | 1234
####18 | 18
#### $18.00 | 18
#### 18 dollars per 2 days | 18
#### **18** | 18
#### -5 | -5
#### 3/4 | 3/4
#### 1 1/2 | 3/2
#### \boxed{18} | 18
#### 18. | 18
#### 18 eggs\n#### 20 eggs | 20
#### Step 2: Add 3 and 4\nThe answer is 7. | 7
#### 2. Multiply\nThe answer is 14. | 14
#### 1) Count\nso we get\n**Answer:** 9 apples | 9
so \boxed{42} it is, not 41 | 42
\boxed{\frac{3}{4}} | 3/4
\boxed{-\dfrac{1}{2}} | -1/2
\boxed{\frac34} | 3/4
\boxed{2\frac{1}{2}} | 5/2
\boxed{18\%} | 18
\boxed{\$1{,}234.50} | 1234.5
\boxed{1\,234} | 1234
\boxed{\text{18 dollars}} | 18
\boxed{18 \text{ dollars}} | 18
\boxed{x = 5} | 5
\boxed{3 \times 10^4} | 30000
\boxed{-7} | -7
$\boxed{\text{Total} = \$20}$ | 20
\boxed{18} and then \boxed{20} | 20
The answer is $18.50. I had 20 before. | 18.5
The answer is: **-7** | -7
The final answer is: $18 per 5 days. | 18
The answer is **18**. | 18
The answer is $18$. | 18
The answer is \(18\). | 18
The answer is \[18\]. | 18
The answer is:\n\n18 | 18
The answer is approximately 18.5 miles | 18.5
The answer is therefore 72. | 72
Therefore, the answer would be 72 hours. | 72
The correct answer is 72. | 72
The answer is that Janet makes $18. | 18
The answer to question 3 is 18. | 18
The answer is 5 + 3 = 8. | 8
The answer is 9 * 2 = 18, as 3 + 4 = 7 are gone. | 18
The answer is 18, since 3 + 4 = 7 are gone. | 18
The answer is 18 (9 * 2 = 18). | 18
The answer is 18. Wait, no. The answer is 20. | 20
Answer: 18 | 18
Answer = 72 | 72
**Answer**: $\boxed{18}$ | 18
Answer: She makes 9 * 2 = $18 | 18
Final answer: 18 eggs in 3 days | 18
### Final Answer\n\n18 | 18
<answer>18</answer> | 18
She eats 3.\nA: 18 | 18
The answer is 18.\n\nQuestion: Tom has 5 apples. How many?\nThe answer is 5. | 18
#### 18\n\nQ: Another 7?\nA: #### 7 | 18
"""

NUMBERS = r"""
That leaves 16 - 3 - 4 = 9 eggs. | 9
16-3-4=<<16-3-4=9>>9 | 9
10-3 | 3
It is 5 - 2 | 2
- 18 eggs | 18
It is .5 | 1/2
18 | 18
x = 18</s> | 18
The answer is 18<0xEOT> | 18
The answer is minus 7. | -7
The answer is negative 7. | -7
The answer is -$7. | -7
The answer is $-7. | -7
The answer is −7. | -7
The answer is –7. | -7
from 3 to -2 | -2
(-2) | -2
The temperature falls to -3.5 degrees. | -3.5
They owe €1,000.00 | 1000
12,345,678 people | 12345678
1,00,000 rupees | 100000
1.234,56 € | 1234.56
3,4 | 4
½ | 1/2
The answer is 1½ cups | 3/2
The answer is 3/4 of a cup. | 3/4
The answer is 3e5 | 300000
The answer is 3 × 10^5 m | 300000
It costs $1.5 million. | 1500000
The answer is 3 thousand. | 3000
18km | 18
It takes 50%. | 50
The answer is 50 percent. | 50
The answer is 18.0000 | 18
The 18th day | 18
１８ apples | 18
The answer is ٣ | 3
"""


def cases(table: str) -> list[tuple[str, Fraction]]:
    rows = [row.rpartition(" | ") for row in table.strip().split("\n")]
    return [(text.replace(r"\n", "\n"), Fraction(number)) for text, _, number in rows]


@pytest.mark.parametrize(("text", "number"), cases(MARKS))
def test_a_marked_number_is_the_result(text: str, number: Fraction) -> None:
    found = final_number(text)

    assert found is not None
    assert found.value == number


@pytest.mark.parametrize(("text", "number"), cases(NUMBERS))
def test_numbers_are_read_as_they_are_written(text: str, number: Fraction) -> None:
    found = final_number(text)

    assert found is not None
    assert found.value == number


def test_narrow_spaces_separate_thousands() -> None:
    found = final_number("1\u202f234\u00a0567 people")

    assert found is not None
    assert found.value == 1234567


@pytest.mark.parametrize(
    "text", ["", "I do not know.", "v1.2 and file2", "1/0", "9" * 5000, "9e99999", "\\boxed{"]
)
def test_some_texts_have_no_number(text: str) -> None:
    assert final_number(text) is None


@given(
    st.decimals(-(10**9), 10**9, places=2),
    st.sampled_from(["#### {}", "\\boxed{{{}}}", "The answer is {}.", "Answer: **${}**", "so {}"]),
)
def test_a_number_survives_being_written_with_thousands_separators(
    number: Fraction, sentence: str
) -> None:
    found = final_number(f"First 3 * 4 = 12.\n{sentence.format(f'{number:,}')}")

    assert found is not None
    assert found.value == Fraction(number)


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    final_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 9999,
        "5 " + "-" * 9999,
        "answer is x y z " * 999,
        "5" + " " * 9999 + "* 1",
        "(A" * 999,
    ],
)
def test_no_text_takes_time_out_of_proportion(text: str) -> None:
    """Each of these took seconds with patterns that try every way of splitting it."""
    final_number(text)


@pytest.mark.parametrize(
    ("reference", "text", "right"),
    [
        ("#### 1,000", "The answer is 1000.00", True),
        ("\\boxed{\\frac{1}{3}}", "about 0.33", True),
        ("\\boxed{\\frac{1}{3}}", "about 0.34", False),
        ("\\boxed{\\frac{1}{3}}", "about 0.3", False),
        ("0.75", "The answer is 3/4.", True),
        ("#### 18.5", "#### 18", False),
        ("#### 18", "eighteen", False),
    ],
)
def test_numbers_are_compared_by_value(reference: str, text: str, right: bool) -> None:
    prompt = Prompt("p", "?", reference, "f", "train", {"checker": "final_number"})

    assert check(prompt, text) is right


def test_real_solutions_are_judged_as_their_authors_judged_them() -> None:
    """All 2,640: there is no disagreement that would have to be explained."""
    folder = Path(os.environ.get("JUDGE_DATA_DIR", Path(__file__).parents[3] / "shared" / "data"))
    path = folder / "gsm8k_model_solutions.jsonl"
    if not path.exists():
        pytest.skip("JUDGE_DATA_DIR holds no gsm8k_model_solutions.jsonl")
    judged = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        prompt = Prompt("p", "?", row["ground_truth"], "f", "train", {"checker": "final_number"})
        for solution in (value for value in row.values() if isinstance(value, dict)):
            judged += 1
            assert check(prompt, solution["solution"]) == solution["is_correct"], solution
    assert judged == 2640
