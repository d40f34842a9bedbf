"""Judge heads, a file for each kind, and their file format."""

from judge_lightning.heads.base import JudgeHead
from judge_lightning.heads.config import FORMAT, HeadConfig
from judge_lightning.heads.files import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from judge_lightning.heads.registry import head_class, head_kinds, read_options

__all__ = [
    "CARD_FILE",
    "CONFIG_FILE",
    "FORMAT",
    "WEIGHTS_FILE",
    "HeadConfig",
    "JudgeHead",
    "head_class",
    "head_kinds",
    "read_options",
]
