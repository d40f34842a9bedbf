"""Two-turn answers: every decoder goes on from its own first answer.

A question is written as a whole, by all decoders: ``answers-00000.jsonl``, and its timings, which
are not reproducible, beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.agreement import check_agreement
from evals.decoders import is_speculative
from evals.generations import Timing, read_rows, text_of, write_rows
from evals.mt_bench.questions import TURNS, BenchQuestion, temperature_of
from judge_lightning.court.chat import Message
from judge_lightning.court.records import Prompt

if TYPE_CHECKING:
    from evals.comparison import Bench

TOO_LONG = "longer than the context"


@dataclass(frozen=True)
class Answer:
    """One decoder's answer in one turn (1 or 2) of one question.

    ``token_ids`` are the new tokens, with the EOS token when ``finished``. ``trace`` is the
    decoder's ``Trace`` as JSON, without seconds; None where a cycle is just a token. ``problem``
    says why there is no answer; empty where there is one.
    """

    question: str
    category: str
    decoder: str
    turn: int
    text: str
    prompt_tokens: int
    token_ids: list[int]
    finished: bool
    trace: Any = None
    problem: str = ""


@dataclass(frozen=True)
class Dialogue:
    """One question, answered in both turns by every decoder (a portion of a comparison)."""

    question: BenchQuestion
    folder: Path
    number: int
    sampling: str

    @property
    def name(self) -> str:
        """``questions-<number>``."""
        return f"questions-{self.number:05d}"

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """Both turns as one text, for the length of caches."""
        text = "\n".join(self.question.turns)
        return (Prompt(self.question.id, text, "", "mt_bench", "eval"),)

    @property
    def answers(self) -> Path:
        """Where the answers are written."""
        return self.folder / f"answers-{self.number:05d}.jsonl"

    @property
    def timings(self) -> Path:
        """Where their timings are written, after them."""
        return self.folder / f"timings-{self.number:05d}.jsonl"

    def complete(self, decoders: Sequence[str]) -> bool:
        """Whether it is written: both files are renamed into place whole."""
        return self.answers.is_file() and self.timings.is_file()

    def do(self, bench: Bench) -> Iterator[None]:
        """Answers and writes it; yields once."""
        answers: list[Answer] = []
        timings: list[Timing] = []
        names = bench.comparison.decoders
        # They take turns in going first: what a machine does meanwhile falls on all alike.
        start = self.number % len(names)
        for name in names[start:] + names[:start]:
            for answer, timing in self._talk(bench, name):
                answers.append(answer)
                timings += [timing] if timing else []
        self._check(bench, answers)
        write_rows(
            self.answers, sorted(answers, key=lambda row: (names.index(row.decoder), row.turn))
        )
        write_rows(self.timings, timings)
        yield

    def _talk(self, bench: Bench, name: str) -> Iterator[tuple[Answer, Timing | None]]:
        from judge_lightning.court.chat.local import render_messages
        from judge_lightning.decoding.request import longest_sequence

        answers: list[str] = []
        room = {one: longest_sequence(one) for one in (bench.pair.draft, bench.pair.target)}
        model = bench.pair.draft if name == "draft" else bench.pair.target
        for turn in range(1, TURNS + 1):
            ids = render_messages(bench.pair.tokenizer, messages_of(self.question, turn, answers))
            if len(ids) >= room[model]:
                for missing in range(turn, TURNS + 1):
                    yield self._left_out(name, missing, len(ids)), None
                return
            if len(ids) < min(room.values()):  # All decoders warm up with it.
                bench.warm_up(ids)
            new_ids, trace, timing = bench.generate(
                name,
                ids,
                f"{self.question.id}/{turn}",
                temperature_of(self.question, self.sampling),
            )
            answers.append(text_of(bench.pair.tokenizer, new_ids))
            yield (
                Answer(
                    question=self.question.id,
                    category=self.question.category,
                    decoder=name,
                    turn=turn,
                    text=answers[-1],
                    prompt_tokens=len(ids),
                    token_ids=new_ids,
                    finished=bench.is_finished(new_ids),
                    trace=trace.to_json() if is_speculative(name) else None,
                ),
                timing,
            )

    def _left_out(self, name: str, turn: int, prompt_tokens: int) -> Answer:
        return Answer(
            question=self.question.id,
            category=self.question.category,
            decoder=name,
            turn=turn,
            text="",
            prompt_tokens=prompt_tokens,
            token_ids=[],
            finished=False,
            problem=TOO_LONG,
        )

    def _check(self, bench: Bench, answers: Sequence[Answer]) -> None:
        """Raises DisagreementError where greedy standard decoding left the target's own answer."""
        from judge_lightning.court.chat.local import render_messages

        rows = {(row.decoder, row.turn): row for row in answers}
        greedy = temperature_of(self.question, self.sampling) == 0
        if not greedy or not {"target", "exact"} <= set(bench.comparison.decoders):
            return
        said: list[str] = []
        for turn in range(1, TURNS + 1):
            alone, exact = rows["target", turn], rows["exact", turn]
            if alone.problem:
                return
            ids = render_messages(bench.pair.tokenizer, messages_of(self.question, turn, said))
            name = f"{self.question.id}, turn {turn}"
            if not check_agreement(bench.pair.target, name, ids, alone.token_ids, exact.token_ids):
                return  # A rounding tie: from here on the two read different conversations.
            said.append(alone.text)


def plan_dialogues(
    questions: Sequence[BenchQuestion], folder: Path, sampling: str
) -> list[Dialogue]:
    """One portion per question."""
    return [
        Dialogue(question, folder, number, sampling) for number, question in enumerate(questions)
    ]


def messages_of(question: BenchQuestion, turn: int, answers: Sequence[str]) -> list[Message]:
    """The conversation up to what the user asks in ``turn``; ``answers`` to the turns before."""
    messages: list[Message] = []
    for asked, answered in zip(question.turns[: turn - 1], answers, strict=True):
        messages += [Message("user", asked), Message("assistant", answered)]
    return [*messages, Message("user", question.turns[turn - 1])]


def read_answers(folder: Path) -> list[Answer]:
    """The answers of all questions, in the order of the questions."""
    return [
        row for path in sorted(folder.glob("answers-*.jsonl")) for row in read_rows(path, Answer)
    ]
