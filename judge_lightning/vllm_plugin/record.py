"""Every verdict as a line of JSON, for whoever wants to see them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from judge_lightning.vllm_plugin.verdicts import Layout, Opinion


class Record:
    """Appends to one file; written by the engine's worker."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def write(
        self, requests: list[str], layout: Layout, opinion: Opinion, accepted: Tensor
    ) -> None:
        """One line a request: its draft tokens, the judge's probability and the standard rule's
        chance for each, and how many were accepted.
        """
        assert opinion.standard is not None
        rows = zip(
            layout.request.tolist(),
            opinion.tokens.tolist(),
            opinion.probabilities.tolist(),
            opinion.standard.tolist(),
            opinion.thresholds.tolist(),
            strict=True,
        )
        lines: dict[int, dict[str, Any]] = {}
        for request, token, probability, standard, threshold in rows:
            line = lines.setdefault(
                request,
                {
                    "request": requests[request],
                    "threshold": threshold,
                    "tokens": [],
                    "judge": [],
                    "standard": [],
                    "accepted": int(accepted[request]),
                },
            )
            for name, value in (("tokens", token), ("judge", probability), ("standard", standard)):
                line[name].append(value)
        for line in lines.values():
            self._file.write(json.dumps(line) + "\n")
        self._file.flush()
