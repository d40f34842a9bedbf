"""What is checked before any work: folders can be written, disk and memory have room."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from judge_lightning.errors import UserError
from pipelines.config import ModelConfig, PairConfig, RunConfig
from pipelines.crew.hiring import check_launch
from pipelines.fitting import check_memory
from pipelines.gate import check_gate
from pipelines.loading import check_loading
from pipelines.plan import Plan
from pipelines.stand_in import check_stand_ins
from pipelines.tracking import check_tracking
from pipelines.workloads import size_of

if TYPE_CHECKING:
    from judge_lightning.models.size import ModelSize

RESERVE = 256 * 2**20
"""Free bytes that a run asks for beyond its artifacts: logs, temporary files, the report."""


ModelSizes: TypeAlias = "dict[str, tuple[ModelConfig, ModelSize]]"
"""By role: ``target``, ``draft``."""


@dataclass(frozen=True)
class DiskNeed:
    """Bytes that a run would write to the disk of ``folder``, which the user sets as ``field``."""

    field: str
    what: str
    folder: Path
    needed: int

    @property
    def free(self) -> int:
        """Bytes that are free on that disk."""
        return shutil.disk_usage(_existing_ancestor(self.folder)).free

    def describe(self) -> str:
        """One sentence for the plan."""
        verdict = "" if self.free >= self.needed else ": NOT ENOUGH"
        return (
            f"{self.what} needs about {in_bytes(self.needed)} in {self.folder}, "
            f"{in_bytes(self.free)} free{verdict}"
        )


def validate_run(config: RunConfig, plan: Plan) -> None:
    """Checks everything that can be known to be wrong before the first stage starts.

    A cached stage is not asked again: its settings have already made an artifact.
    A dry run reports disk space and memory in its plan instead.

    Raises:
        UserError: The first thing that is wrong.
    """
    check_tracking(config.tracking)
    check_gate(config)
    check_launch(config)
    check_writable("artifacts_dir", Path(config.artifacts_dir))
    check_writable("output_dir", Path(config.output_dir))
    if config.pipeline != "pretrain":
        check_stand_ins(config.pair)
        check_loading(config)
    for planned in plan.to_run:
        planned.stage.validate(config)
    if not config.dry_run:
        # A pair of local folders, the embedded one above all, is spared the import of torch.
        sizes = model_sizes(config.pair) if plan.to_run and _is_on_the_hub(config) else {}
        check_disk_space(disk_needs(config, plan, sizes))
        if config.pipeline != "pretrain":
            check_memory(config, [planned.name for planned in plan.to_run])


def check_writable(field: str, folder: Path) -> None:
    """Raises UserError when ``folder`` is not writable or cannot be created. Creates nothing."""
    existing = _existing_ancestor(folder)
    remedy = f"give a folder that you may write to: {field}=PATH"
    if not existing.is_dir():
        raise UserError(field, f"{folder} cannot be used: {existing} is not a folder", remedy)
    if not os.access(existing, os.W_OK | os.X_OK) or _is_read_only(existing):
        raise UserError(field, f"no permission to write to {existing}", remedy)


def check_disk_space(needs: list[DiskNeed]) -> None:
    """Raises UserError when one of the disks has too little room."""
    for need in needs:
        if need.free < need.needed:
            raise UserError(
                need.field,
                f"{need.what} needs about {in_bytes(need.needed)} in {need.folder}, "
                f"{in_bytes(need.free)} are free",
                "free some space (`python -m pipelines.artifacts gc`) or give another disk",
            )


def disk_needs(config: RunConfig, plan: Plan, sizes: ModelSizes) -> list[DiskNeed]:
    """What the stages to run would write, and what would be fetched from the Hub."""
    if not plan.to_run:
        return []
    artifacts = RESERVE + sum(planned.stage.disk_bytes(config) for planned in plan.to_run)
    needs = [DiskNeed("artifacts_dir", "the run", Path(config.artifacts_dir), artifacts)]
    if download := sum(size.download for _, size in sizes.values()):
        from huggingface_hub.constants import HF_HUB_CACHE

        needs.append(DiskNeed("HF_HOME", "the models' download", Path(HF_HUB_CACHE), download))
    return needs


def model_sizes(pair: PairConfig) -> ModelSizes:
    """Exact parameter counts and memory of the pair's models, without loading or fetching them."""
    return {
        role: (model, size_of(model))
        for role, model in (("target", pair.target), ("draft", pair.draft))
    }


def in_bytes(count: float) -> str:
    """A size for people: powers of 1000, three digits (``1.20 GB``)."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.4g} TB"


def _is_on_the_hub(config: RunConfig) -> bool:
    from judge_lightning.models.location import locate

    pair = config.pair
    return config.pipeline != "pretrain" and any(
        isinstance(locate(model.path), str) for model in (pair.target, pair.draft)
    )


def _existing_ancestor(folder: Path) -> Path:
    absolute = folder.expanduser().absolute()
    return next(path for path in (absolute, *absolute.parents) if path.exists())


def _is_read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
