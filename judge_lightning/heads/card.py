"""The model card beside a judge's weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from judge_lightning.guarantee import Certificate
from judge_lightning.heads.config import HeadConfig

if TYPE_CHECKING:
    from judge_lightning.heads.base import JudgeHead


def model_card(head: JudgeHead) -> str:
    """Markdown: what the head computes and reads, what was measured, how to use it."""
    config = head.config
    numbers = {**config.provenance, **config.calibration}
    rows = "\n".join(f"| {name} | {value} |" for name, value in sorted(numbers.items()))
    return f"""---
library_name: judge-lightning
license: apache-2.0
tags: [speculative-decoding, judge-decoding]
---

# Judge head

Says whether a draft token is correct in context, from {head.WHAT_IT_READS}
({head.SOURCE}). {head.parameters_count} parameters: {head.FORMULA}.

| reads | |
| --- | --- |
{_reads(config)}

| measured | |
| --- | --- |
{rows}

```python
from judge_lightning import JudgeHead, SpeculativeDecoder, load_pair
from judge_lightning.verifiers import Judge

head = JudgeHead.from_pretrained("this-folder")
decoder = SpeculativeDecoder(target, draft, Judge(head), draft_length=16)
```

{_promise(config)}It is valid for this target only. Judge decoding does not keep the target's
distribution: measure quality on your own prompts before you serve it.
"""


def _reads(config: HeadConfig) -> str:
    layers = ", ".join(str(layer) for layer in config.layers_read)
    rows = {
        "layers" if config.layers else "layer": (
            f"{layers} of {config.layers_of_target} (0-based), {config.position}"
        ),
        "hidden size": str(config.hidden_size),
        "threshold": str(config.threshold),
        "target": f"`{config.target or 'unknown'}`",
    }
    if config.draft_hidden_size:
        rows["draft's hidden size"] = str(config.draft_hidden_size)
        rows["draft"] = f"`{config.draft or 'unknown'}`"
    rows.update((name, str(value)) for name, value in config.options.items())
    return "\n".join(f"| {name} | {value} |" for name, value in rows.items())


def _promise(config: HeadConfig) -> str:
    """The certificate as a section of the card; empty where there is none."""
    if config.certificate is None:
        return ""
    certificate = Certificate.from_json(config.certificate)
    return f"""## What the threshold promises

{certificate.in_words()} Method: {certificate.method}. Calibration data: `{certificate.data}`.
The promise is about the threshold {certificate.threshold} and about no other, and about prompts
like those of the calibration alone.

"""
