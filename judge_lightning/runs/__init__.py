"""A finished run, read back: ``load_run`` is all that notebooks and scripts need.

Reads what the stages wrote and imports nothing of them: neither the pipeline nor Hydra nor W&B.
"""

from judge_lightning.runs.answers import DecodedAnswer
from judge_lightning.runs.artifacts import RunArtifact
from judge_lightning.runs.run import DEFAULT_RUN, Run, load_run
from judge_lightning.runs.token_states import TokenStates

__all__ = [
    "DEFAULT_RUN",
    "DecodedAnswer",
    "Run",
    "RunArtifact",
    "TokenStates",
    "load_run",
]
