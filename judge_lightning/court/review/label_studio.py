"""Decisions in Label Studio's JSON format, out and in.

A task is ``{"data": {...}, "predictions": [...], "annotations": [...]}``. The proposed mistake is a
prediction with one region of the ``labels`` control; a decision is an annotation with such a
region, a choice, and text fields. Label Studio counts offsets in code points, as Python does
(HumanSignal/label-studio-frontend pull request 308).
See https://labelstud.io/guide/task_format and https://labelstud.io/guide/predictions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from judge_lightning.court.rejects import Rejected
from judge_lightning.court.review.decisions import Decision, Span, identify, reviewer_problem
from judge_lightning.court.review.items import ReviewItem

LABEL = "Mistake"
MARKED, UNFINISHED, REJECT = "mistake marked", "stops too early", "reject"

LABEL_CONFIG = f"""<View>
  <Header value="Prompt"/>
  <Text name="prompt" value="$prompt"/>
  <View style="display: flex; gap: 2em">
    <View style="flex: 1"><Header value="Correct"/><Text name="correct" value="$correct"/></View>
    <View style="flex: 1"><Header value="Wrong"/><Text name="wrong" value="$wrong"/></View>
  </View>
  <Labels name="mistake" toName="wrong"><Label value="{LABEL}" background="#d33"/></Labels>
  <Choices name="decision" toName="wrong" choice="single" showInline="true">
    <Choice value="{MARKED}"/><Choice value="{UNFINISHED}"/><Choice value="{REJECT}"/>
  </Choices>
  <TextArea name="note" toName="wrong" placeholder="Note" maxSubmissions="1"/>
  <TextArea name="reviewer" toName="wrong" placeholder="Your name" maxSubmissions="1"/>
</View>
"""
"""The labelling configuration of a Label Studio project that takes these tasks."""


def to_label_studio(
    items: Iterable[ReviewItem], decisions: Mapping[str, Sequence[Decision]]
) -> Iterator[dict[str, Any]]:
    """One task an item, with its proposal and the decisions that were made about it.

    Args:
        decisions: By tuple id, as ``by_tuple`` gives them.
    """
    for item in items:
        yield {
            "data": {
                "tuple_id": item.id,
                "prompt_id": item.prompt_id,
                "drafter": item.drafter,
                "prompt": item.prompt,
                "reference": item.reference,
                "correct": item.correct,
                "wrong": item.wrong,
                "proposed_start": item.proposed[0],
                "proposed_end": item.proposed[1],
                "evidence": item.evidence,
            },
            "predictions": [
                {
                    "model_version": "proposed",
                    "score": item.confidence,
                    "result": _marks(item, item.proposed),
                }
            ],
            "annotations": [_annotation(item, d) for d in decisions.get(item.id, ())],
        }


def from_label_studio(
    tasks: Any, place: str, reviewer: str | None = None
) -> Iterator[Decision | Rejected]:
    """The decisions of an export in Label Studio's JSON format.

    The first region is the mistake where several are marked. ``reviewer`` overrules the name in
    the annotation, which is its field ``reviewer``, else the e-mail or number of its author.

    Args:
        tasks: The parsed file.
        place: Its name, for what cannot be used.
    """
    if not isinstance(tasks, list):
        yield Rejected(place, "not a list of tasks")
        return
    for number, task in enumerate(tasks, start=1):
        where = f"{place}, task {number}"
        data = task.get("data") if isinstance(task, dict) else None
        if not isinstance(data, dict):
            yield Rejected(where, "field missing", "data", json.dumps(task))
            continue
        for annotation in task.get("annotations") or ():
            try:
                yield _decision(data, annotation, reviewer)
            except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
                missing = isinstance(error, KeyError)
                reason = "field missing" if missing else "not a decision"
                yield Rejected(where, reason, str(error), json.dumps(annotation))


def _annotation(item: ReviewItem, decision: Decision) -> dict[str, Any]:
    span = decision.span
    result = _marks(item, span) if span else [_choice(REJECT)]
    if decision.verdict == "skip":
        result = []
    for name, text in (("note", decision.note), ("reviewer", decision.reviewer)):
        if text:
            result.append({**_target(name), "type": "textarea", "value": {"text": [text]}})
    return {
        "result": result,
        "was_cancelled": decision.verdict == "skip",
        "ground_truth": False,
        "created_at": decision.time,
        "updated_at": decision.time,
    }


def _marks(item: ReviewItem, span: Span) -> list[dict[str, Any]]:
    start, end = span
    if start == end:  # Label Studio has no empty regions.
        return [_choice(UNFINISHED)]
    region = {"start": start, "end": end, "text": item.wrong[start:end], "labels": [LABEL]}
    return [{**_target("mistake"), "type": "labels", "value": region}, _choice(MARKED)]


def _choice(choice: str) -> dict[str, Any]:
    return {**_target("decision"), "type": "choices", "value": {"choices": [choice]}}


def _target(name: str) -> dict[str, Any]:
    return {"id": f"{name}-1", "from_name": name, "to_name": "wrong"}


def _decision(data: dict[str, Any], annotation: dict[str, Any], reviewer: str | None) -> Decision:
    wrong = data["wrong"]
    name = identify(data["prompt_id"], wrong, data["drafter"])
    if name != data["tuple_id"]:
        raise ValueError("the texts are not those of the tuple that tuple_id names")
    proposed = (data["proposed_start"], data["proposed_end"])
    result = annotation.get("result") or []
    span = _marked_span(wrong, result)
    choice = _values(result, "decision", "choices")
    if annotation.get("was_cancelled"):
        verdict, span = "skip", None
    elif REJECT in choice:
        verdict, span = "reject", None
    elif span is None:
        raise ValueError("neither a mistake nor a choice")
    else:
        verdict = "accept" if span == proposed else "move"
    row = {
        "format": 1,
        "tuple_id": name,
        "reviewer": reviewer or _reviewer(annotation, result),
        "verdict": verdict,
        "span": span,
        "proposed": proposed,
        "note": " ".join(_values(result, "note", "text")),
        "time": annotation.get("updated_at") or annotation["created_at"],
    }
    return Decision.from_json(row)


def _marked_span(wrong: str, result: list[dict[str, Any]]) -> Span | None:
    regions = [
        (part["value"]["start"], part["value"]["end"], part["value"].get("text"))
        for part in result
        if part.get("from_name") == "mistake"
    ]
    if not regions:
        unfinished = UNFINISHED in _values(result, "decision", "choices")
        return (len(wrong), len(wrong)) if unfinished else None
    start, end, text = min(regions, key=lambda region: region[:2])
    if not 0 <= start < end <= len(wrong):
        raise ValueError(f"the region {start} to {end} is outside the answer")
    if text is not None and _visible(text) != _visible(wrong[start:end]):
        raise ValueError(f"the region's text {text!r} does not stand at {start} to {end}")
    return (start, end)


def _visible(text: str) -> str:
    """Without white space, which Label Studio writes as it likes (a line end as ``\\n``)."""
    return re.sub(r"\s|\\n|\\r", "", text)


def _values(result: list[dict[str, Any]], name: str, kind: str) -> list[str]:
    found: list[str] = []
    for part in result:
        if part.get("from_name") == name:
            value = part["value"][kind]
            found += [value] if isinstance(value, str) else value
    return found


def _reviewer(annotation: dict[str, Any], result: list[dict[str, Any]]) -> str:
    named = " ".join(_values(result, "reviewer", "text")).strip()
    author = annotation.get("completed_by")
    if isinstance(author, dict):
        author = author.get("email") or author.get("id")
    name = named or ("" if author is None else str(author))
    if problem := reviewer_problem(name):
        raise ValueError(f"reviewer {name!r} {problem}")
    return name
