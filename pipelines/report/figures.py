"""What the page's charts and tables show, as plain data for those who draw it elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evals.examples import Example
from evals.generations import Generation, read_generations
from pipelines.report.material import Material
from pipelines.report.token_view import answer_document
from pipelines.report.wording import verdict_sentence

Table = dict[str, Any]

_PARTS = ("draft", "verify", "judge", "overhead", "bound")
"""Of a cycle; the bound is what its two models' bare passes take."""


def figures(material: Material, summary: Mapping[str, Any], decoded: Path) -> dict[str, Any]:
    """The verdict's sentence, the tables by stage, and the cycles by accepted draft tokens.

    A table is ``{"columns": [...], "rows": [[...], ...], "html": [...]}``; ``html`` names the
    columns whose cells are whole HTML documents. Everything else is text or a number, as it is:
    whoever shows it escapes it.

    Args:
        summary: The run's ``summary.json``, whose numbers the tables repeat.
        decoded: The folder of the decode stage's artifact.
    """
    return {
        "sentence": verdict_sentence(material),
        "tables": {
            "decode/decoders": _decoders(material, summary),
            "decode/answers": _answers(material, decoded),
            "decode/accepted": _accepted(material),
            "decode/cycle_seconds": _cycle_seconds(summary),
            "train/layers": _layers(material),
            "calibrate/operating_curve": _operating_curve(material),
            "evaluate/tasks": _tasks(material),
            "evaluate/paired": _paired(material),
        },
        "histograms": material.histograms,
    }


def _table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], html: Sequence[str] = ()
) -> Table:
    return {"columns": list(columns), "rows": [list(row) for row in rows], "html": list(html)}


def _decoders(material: Material, summary: Mapping[str, Any]) -> Table:
    numbers = (
        *("accepted_per_cycle", "tokens_per_cycle", "right", "right_stderr"),
        *("tokens_per_second", "speedup", "cycles", "prompts"),
    )
    rows = [
        [material.identity.name_of(name), *(row[number] for number in numbers)]
        for name, row in summary["decode"].items()
    ]
    return _table(("decoder", *numbers), rows)


def _answers(material: Material, decoded: Path) -> Table:
    """The examples, with what every decoder wrote to each."""
    shown = {example.prompt_id for example in material.examples}
    others = [name for name in material.identity.decoders if name not in ("target", "judge")]
    written: dict[str, dict[str, Generation]] = {
        name: {
            row.prompt_id: row for row in read_generations(decoded, name) if row.prompt_id in shown
        }
        for name in others
    }
    columns = [
        *("prompt_id", "family", "why shown", "prompt", "reference", "judge", "judge is right"),
        *("judge's tokens", "tokens per cycle", "cycles", "standard's cycles"),
        *("kept by the judge alone", "target", "target is right"),
        *(column for name in others for column in (name, f"{name} is right")),
    ]
    rows = []
    for example in material.examples:
        rows.append(
            [
                *(example.prompt_id, example.family, example.reason, example.prompt),
                *(example.reference, example.text),
                *(example.right, answer_document(example, material.identity.temperature)),
                *(len(example.tokens) / max(example.cycles, 1), example.cycles),
                *(example.exact_cycles, _judged_alone(example)),
                *(example.target_text, example.target_right),
            ]
        )
        for name in others:
            row = written[name].get(example.prompt_id)
            rows[-1] += [row.text if row else None, row.right if row else None]
    return _table(columns, rows, html=["judge's tokens"])


def _judged_alone(example: Example) -> int:
    return sum(token.fate == "judge" for token in example.tokens)


def _accepted(material: Material) -> Table:
    rows = [
        [material.identity.name_of(name), accepted, count, count / (sum(counts) or 1)]
        for name, counts in material.histograms.items()
        for accepted, count in enumerate(counts)
    ]
    return _table(("decoder", "accepted", "cycles", "share"), rows)


def _cycle_seconds(summary: Mapping[str, Any]) -> Table:
    """Mean milliseconds of a cycle's parts; empty where the decoders did not take their time."""
    rows = [
        [f"{name}: {part}", found[part] * 1000]
        for name, row in summary["decode"].items()
        if (found := row.get("cycle_seconds"))
        for part in _PARTS
        if found.get(part) is not None
    ]
    return _table(("part", "milliseconds"), rows)


def _layers(material: Material) -> Table:
    columns = ("layer", "auroc", "average_precision", "recall", "kept", "loss")
    layers = sorted(material.layers, key=lambda row: row["layer"])
    return _table(columns, [[row.get(name) for name in columns] for row in layers])


def _operating_curve(material: Material) -> Table:
    """In the long form, which a chart of two lines is drawn from."""
    names = {"kept": "correct tokens kept", "recall": "mistakes rejected"}
    rows = [
        [point["threshold"], point[name], words]
        for name, words in names.items()
        for point in material.curve
    ]
    return _table(("threshold", "share", "what"), rows)


def _tasks(material: Material) -> Table:
    rows = [
        [task, material.identity.name_of(name), row["value"], row["stderr"], row["n"]]
        for task, by_decoder in material.results.items()
        for name, row in by_decoder.items()
    ]
    return _table(("task", "decoder", "value", "stderr", "documents"), rows)


def _paired(material: Material) -> Table:
    numbers = ("value", "low", "high", "turned_wrong", "turned_right", "p_value", "n")
    rows = []
    for task, by_decoder in material.paired.items():
        for name, found in by_decoder.items():
            row = asdict(found)
            rows.append([task, material.identity.name_of(name), *(row[n] for n in numbers)])
    columns = ("difference", "low", "high", "turned wrong", "turned right", "p", "documents")
    return _table(("task", "decoder", *columns), rows)
