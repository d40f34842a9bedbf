"""acceptance: what the target, and the judge, say of every token of any text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.acceptance import check_texts, labelling_settings, text_settings
from pipelines.config import RunConfig
from pipelines.durable import UNFINISHED_SUFFIX, write_json
from pipelines.judge_heads import decodes_with_draft_states
from pipelines.pair import (
    load_pair_model,
    load_pair_tokenizer,
    model_settings,
    target_context,
    template_digest,
)
from pipelines.stage import Stage, StageContext
from pipelines.stages.decode import judge_digest
from pipelines.stand_in import model_fingerprint, seed_of

if TYPE_CHECKING:
    from evals.scored_text import ScoredAnswer
    from judge_lightning.court.records import Answer, Prompt
    from judge_lightning.heads import JudgeHead
    from pipelines.texts import OpenText

Label = Callable[["OpenText", Sequence["Prompt"], Sequence["Answer"]], list[list[int]]]
Score = Callable[[Sequence["Prompt"], Sequence["Answer"], list[list[int]]], list["ScoredAnswer"]]


@dataclass(frozen=True)
class _Shard:
    """The answers of one text to the ``number``-th of its prompts' pieces."""

    work: Path
    text: OpenText
    number: int
    size: int

    @property
    def scores(self) -> Path:
        from evals.scored_text import score_file

        return score_file(self.work, self.text.name, self.number)

    @property
    def rejected(self) -> Path:
        return self.work / f"rejected-{self.text.name}-{self.number:05d}.jsonl"

    @property
    def prompts(self) -> list[Prompt]:
        return self.text.prompts[self.number * self.size : (self.number + 1) * self.size]


class Acceptance(Stage):
    """Writes ``scores-<text>-<number>.jsonl`` for every piece of the prompts, beside it
    ``rejected-<text>-<number>.jsonl`` where something could not be used, ``judge.json`` and
    ``examples.jsonl``.

    A shard gets its name when it is complete; a run that finds it there goes on behind it.
    """

    name = "acceptance"
    reads = ("prompts", "mine", "calibrate", "certify")

    def wanted(self, config: RunConfig) -> bool:
        return bool(config.acceptance.texts) or config.pipeline == self.name

    def settings(self, config: RunConfig) -> dict[str, Any]:
        """The target, the texts, who labels them and who judges them."""
        acceptance = config.acceptance
        return {
            "target": model_settings(seed_of(config.pair.target)),
            "chat_template": template_digest(config.pair),
            "longest": target_context(config),
            "texts": {
                name: text_settings(config, text, name) for name, text in acceptance.texts.items()
            },
            "splits": list(acceptance.splits),
            "prompts": acceptance.prompts,
            "labels": labelling_settings(config),
            "judge": judge_digest(config.engine.judge_path) if acceptance.judge else "none",
            "shard_size": acceptance.shard_size,
        }

    def validate(self, config: RunConfig) -> None:
        """Refuses texts that cannot be read; their files are read through."""
        check_texts(config)
        if config.acceptance.judge and decodes_with_draft_states(config):
            raise UserError(
                "acceptance.judge",
                "the judge reads a draft's states, and texts are read by the target alone",
                "use acceptance.judge=false, or another judge",
            )
        if config.acceptance.judge and config.engine.judge_path is not None:
            load_head(config, Path(config.engine.judge_path))

    def disk_bytes(self, config: RunConfig) -> int:
        """Four numbers a token, as text."""
        paths = [text.path for text in config.acceptance.texts.values() if text.path]
        read = sum(Path(path).expanduser().stat().st_size for path in paths)
        return super().disk_bytes(config) + 12 * read

    def run(self, context: StageContext) -> None:
        """Scores the shards that are missing, text by text."""
        from pipelines.texts import open_texts

        tokenizer = load_pair_tokenizer(context.config)
        texts = open_texts(context, tokenizer)
        size = context.config.acceptance.shard_size
        shards = [
            _Shard(context.work, text, number, size)
            for text in texts
            for number in range(-(-len(text.prompts) // size))
        ]
        missing = [shard for shard in shards if not shard.scores.exists()]
        if missing:
            _score_shards(context, missing, done=len(shards) - len(missing))
        for text in texts:
            _summarise(context, text, [shard for shard in shards if shard.text is text])
        _write_examples(context, texts, shards)


def _score_shards(context: StageContext, missing: list[_Shard], done: int) -> None:
    from evals.scored_text import write_scores
    from pipelines.drafting import replace_rejected

    label, score = _labeller(context), _scorer(context)
    total = len(missing) + done
    for shard in context.recorder.progress(missing, total=total, unit="shard", done=done):
        answers, rejected = shard.text.read(shard.prompts)
        labels = label(shard.text, shard.prompts, answers)
        scored = score(shard.prompts, answers, labels)
        replace_rejected(shard.rejected, rejected)
        unfinished = shard.scores.with_suffix(UNFINISHED_SUFFIX)
        write_scores(unfinished, (replace(one, text=shard.text.name) for one in scored))
        unfinished.replace(shard.scores)


def _labeller(context: StageContext) -> Label:
    """Labels every token of some answers of one text; unknown where nobody can tell."""
    from judge_lightning.court.annotators import Case, load_annotator
    from judge_lightning.court.answer_labels import label_answers
    from judge_lightning.court.checkers import CheckerError
    from judge_lightning.court.labels import TokenSpans
    from judge_lightning.court.records import IGNORED
    from pipelines.annotating import annotator_tools

    config = context.config
    asked = labelling_settings(config) is not None
    tools = annotator_tools(config) if asked else None
    annotate = load_annotator(config.annotate.name, tools) if tools else None
    spans = TokenSpans(load_pair_tokenizer(config))

    def label(
        text: OpenText, prompts: Sequence[Prompt], answers: Sequence[Answer]
    ) -> list[list[int]]:
        labels = [[IGNORED] * len(answer.token_ids) for answer in answers]
        if tools is None or annotate is None or not text.checkable:
            return labels
        prompt_of = {prompt.id: prompt for prompt in prompts}
        cases: dict[int, Case] = {}
        for place, answer in enumerate(answers):
            prompt = prompt_of[answer.prompt_id]
            try:
                right = answer.right if text.mined else tools.check(prompt, answer.text)
            except CheckerError:
                continue
            cases[place] = Case(prompt, replace(answer, right=right))
        found = label_answers(list(cases.values()), annotate, spans)
        for place, known in zip(cases, found, strict=True):
            labels[place] = known
        return labels

    return label


def _scorer(context: StageContext) -> Score:
    """Reads answers with the target, once each; what it needs is loaded here."""
    from evals.scored_text import ScoredAnswer
    from judge_lightning.court.prompting import render_prompt
    from judge_lightning.teacher_forcing import PromptedAnswer, score_answers

    config = context.config
    tokenizer = load_pair_tokenizer(config)
    head = None
    if config.acceptance.judge:
        head = load_head(config, judge_folder(context))
    model = load_pair_model(config, seed_of(config.pair.target))

    def score(
        prompts: Sequence[Prompt], answers: Sequence[Answer], labels: list[list[int]]
    ) -> list[ScoredAnswer]:
        ids = {prompt.id: render_prompt(tokenizer, prompt.text) for prompt in prompts}
        readings = [PromptedAnswer(ids[answer.prompt_id], answer.token_ids) for answer in answers]
        scores = score_answers(model, readings, rows=config.acceptance.batch_size, head=head)
        return [
            ScoredAnswer(
                text=answer.author,
                prompt_id=answer.prompt_id,
                sample=answer.sample,
                token_ids=answer.token_ids,
                ranks=one.ranks,
                probabilities=_rounded(one.probabilities),
                labels=known,
                judge=None if one.judge is None else _rounded(one.judge),
            )
            for answer, one, known in zip(answers, scores, labels, strict=True)
        ]

    return score


def judge_folder(context: StageContext) -> Path:
    """The judge that is asked: the configured one, else the run's own."""
    path = context.config.engine.judge_path
    if path is not None:
        return Path(path)
    return (context.inputs.get("certify") or context.inputs["calibrate"]) / "judge"


def load_head(config: RunConfig, folder: Path) -> JudgeHead:
    """A judge of the pair's target.

    Raises:
        UserError: It cannot be read, or was trained on another target.
    """
    from judge_lightning.heads import JudgeHead

    # A stand-in reads as its seed does, and so does its judge.
    seed = model_fingerprint(seed_of(config.pair.target))
    return JudgeHead.from_pretrained(folder, expected_target=seed)


def _rounded(probabilities: Sequence[float]) -> list[float]:
    return [round(probability, 6) for probability in probabilities]


def _summarise(context: StageContext, text: OpenText, shards: Sequence[_Shard]) -> None:
    from evals.acceptance import acceptance_rate
    from judge_lightning.court.rejects import count_reasons, read_rejected, refuse_too_many

    rejected = [one for shard in shards for one in read_rejected(shard.rejected)]
    reasons = count_reasons([*text.unread, *rejected])
    rate = acceptance_rate(_scores(shards))
    answers = rate.answers + sum(reasons.values())
    refuse_too_many(
        f"acceptance.texts.{text.name}", reasons, answers, context.config.data.max_rejected
    )
    if not rate.tokens:
        raise UserError(
            f"acceptance.texts.{text.name}",
            f"has no answer to any of {len(text.prompts)} prompts",
            "name another text, or other splits",
        )
    metric = context.recorder.metric
    metric(f"{text.name}/answers", rate.answers)
    metric(f"{text.name}/tokens", rate.tokens)
    metric(f"{text.name}/acceptance", rate.accepted / rate.tokens)
    metric(f"{text.name}/rejected_answers", sum(reasons.values()))


def _scores(shards: Sequence[_Shard]) -> Iterator[ScoredAnswer]:
    from evals.scored_text import read_scores

    return read_scores(shard.scores for shard in shards)


def _write_examples(
    context: StageContext, texts: Sequence[OpenText], shards: Sequence[_Shard]
) -> None:
    from evals.scored_text import JUDGE_FILE
    from evals.text_examples import choose_answer, show_text, write_text_examples
    from judge_lightning.court.prompting import answer_text

    tokenizer = load_pair_tokenizer(context.config)
    judge: dict[str, Any] = {"threshold": None, "layer": None}
    if context.config.acceptance.judge:
        head = load_head(context.config, judge_folder(context)).config
        judge = {"threshold": head.threshold, "layer": head.layer}
    write_json(context.work / JUDGE_FILE, judge)
    shown = []
    for text in texts:
        chosen = choose_answer(_scores([shard for shard in shards if shard.text is text]))
        if chosen is not None:
            asked = next(prompt.text for prompt in text.prompts if prompt.id == chosen.prompt_id)
            shown.append(
                show_text(
                    chosen, asked, judge["threshold"], lambda ids: answer_text(tokenizer, ids)
                )
            )
    write_text_examples(context.work / "examples.jsonl", shown)


STAGE = Acceptance()
