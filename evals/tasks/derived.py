"""Tasks that are lm-eval's own but for a few fields, such as where their documents come from.

A task's file can include another one by its path alone, and nobody knows where lm-eval is
installed; ``derives`` is a path below lm-eval's folder of tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lm_eval.tasks
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml

_OWN_KEYS = ("class", "derives")


class DerivedTask(ConfigurableTask):
    """A task with the fields of ``config``, and of the file that it ``derives`` where it has none.

    What a file with ``unsafe_code`` names functions for has to be replaced: lm-eval's modules for
    such tasks run a program as soon as they are imported, so none is.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        own = {key: value for key, value in config.items() if key not in _OWN_KEYS}
        file = Path(lm_eval.tasks.__file__).parent / config["derives"]
        unsafe = load_yaml(file, resolve_func=False).get("unsafe_code", False)
        inherited = load_yaml(file, resolve_func=not unsafe)
        for key in ("tag", "group"):
            inherited.pop(key, None)
        super().__init__(config={**inherited, **own})


class SubjectTask(DerivedTask):
    """A task whose examples in the prompt are of the document's own ``subject``, as in MMLU."""

    def fewshot_context(self, doc: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Builds the prompt; lm-eval has one task per subject for this."""
        if not hasattr(self, "_examples"):
            self._examples: dict[str, list[dict[str, Any]]] = {}
            for example in self.fewshot_docs():
                self._examples.setdefault(example["subject"], []).append(example)
        self.sampler.replace_df(self._examples.get(doc["subject"], []))
        return super().fewshot_context(doc, *args, **kwargs)
