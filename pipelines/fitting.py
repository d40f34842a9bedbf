"""Whether a run's pair fits the machine, and the smallest change with which it does."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from judge_lightning.errors import UserError
from pipelines.config import ModelConfig, RunConfig, SpeedConfig
from pipelines.stand_in import described, timed_run
from pipelines.workloads import LOADING_STAGES, plan_stages, run_machine

if TYPE_CHECKING:
    from judge_lightning.models.machine import Machine
    from judge_lightning.models.memory_plan import MemoryPlan

_GPU = 80 * 2**30
"""Bytes of the GPU that is named where this machine has none."""
_MANY = 64
"""Devices beyond which a machine is not looked for."""


@dataclass(frozen=True)
class Fit:
    """What a pair needs on a machine in the stages that load it; ``plans`` is never empty."""

    machine: Machine
    plans: tuple[MemoryPlan, ...]

    @property
    def fits(self) -> bool:
        """Whether all stages have the memory that they need."""
        return all(plan.fits for plan in self.plans)

    @property
    def tightest(self) -> MemoryPlan:
        """The stage that decides."""
        from judge_lightning.models.memory_plan import tightest_plan

        return tightest_plan(self.plans)

    def describe(self) -> str:
        """The numbers that decide, without a verdict (``GPU 0 needs 75.4 of 80 GiB in embed``)."""
        plan = self.tightest
        if plan.homeless:
            return f"{in_gib(plan.missing)} are missing in all in {plan.workload}"
        device = plan.tightest
        return (
            f"{device.name} needs {in_gib(device.needed)} of {in_gib(device.memory)}"
            f" in {plan.workload}"
        )


@dataclass(frozen=True)
class Change:
    """One or several settings, as they are written on the command line, and why one would."""

    settings: tuple[str, ...]
    reason: str
    config: RunConfig
    machine: Machine

    def describe(self) -> str:
        """``a=1 b=2 (reason)``."""
        return f"{' '.join(self.settings)} ({self.reason})"


def fit_of(config: RunConfig, stages: Collection[str], machine: Machine) -> Fit | None:
    """Plans the stages; None when none of them loads a model."""
    plans = plan_stages(config, stages, machine)
    return Fit(machine, tuple(plans)) if plans else None


def check_memory(config: RunConfig, stages: Collection[str]) -> None:
    """Refuses a run whose pair does not fit, before any work.

    Raises:
        UserError: It does not fit; numbers and remedy are named.
    """
    if not LOADING_STAGES.intersection(stages):
        return
    machine = run_machine(config)
    fit = fit_of(config, stages, machine)
    if fit is None or fit.fits:
        return
    remedy = "choose a smaller pair or a larger machine"
    for change, changed in try_changes(config, stages, machine):
        if changed.fits:
            remedy = f"{change.describe()} would do: {changed.describe()}"
    raise UserError(
        "pair",
        f"{config.pair.name} does not fit {machine.describe()}: {fit.describe()}",
        f"{remedy} (dry_run=true shows each device; launch.machine describes another machine)",
    )


def try_changes(
    config: RunConfig, stages: Collection[str], machine: Machine
) -> Iterator[tuple[Change, Fit]]:
    """Tries changes from the least to the most intrusive, up to the first that fits."""
    for change in _changes(config, machine):
        fit = fit_of(change.config, stages, change.machine)
        if fit is None:
            continue
        yield change, fit
        if fit.fits:
            return


def in_gib(count: float) -> str:
    """A size in the unit in which devices are sold (``80 GiB``, ``0.03 GiB``)."""
    gib = count / 2**30
    return f"{gib:.1f} GiB" if abs(gib) >= 10 else f"{gib:.2g} GiB"


def _changes(config: RunConfig, machine: Machine) -> Iterator[Change]:
    """First what changes no result, then what changes the answers' length, then the weights."""

    def change(reason: str, *settings: tuple[str, object]) -> Change:
        changed = copy.deepcopy(config)
        for field, value in settings:
            _set(changed, field, value)
        texts = tuple(f"{field}={value}" for field, value in settings)
        return Change(texts, reason, changed, machine)

    target, draft = config.pair.target, config.pair.draft
    free: list[tuple[str, object]] = []
    if config.engine.workers != 1 and not machine.is_gpu:
        free.append(("engine.workers", 1))
        yield change("one process instead of one a core, same results", *free)
    if machine.is_gpu and len(machine.memory) > 1 and not _uses_all(target):
        free += [(f"pair.{role}.device_map", "auto") for role in ("target", "draft")]
        yield change("spread over all devices, same results", *free)
    if timed_run(config) is not None:
        same = change("no stand-in for the speed, as the report will say", *free)
        own = replace(same.config, speed=SpeedConfig(name="none"))
        yield replace(same, settings=(*same.settings, "speed=none"), config=own)
    batches = {"mine": config.mine.batch_size, "embed": config.embed.batch_size}
    if config.acceptance.texts:
        batches["acceptance"] = config.acceptance.batch_size
    if config.safety.path is not None:
        batches["safety"] = config.safety.batch_size
    rows = max(batches.values())
    smaller: list[tuple[str, object]] = []
    while rows > 1:
        rows //= 2
        smaller = [(f"{stage}.batch_size", rows) for stage, now in batches.items() if now > rows]
        yield change("smaller batches, same results", *free, *smaller)
    for share in (2, 4):
        lengths = [
            (f"{group}.max_new_tokens", max(1, length // share))
            for group, length in (
                ("engine", config.engine.max_new_tokens),
                ("mine", config.mine.max_new_tokens),
            )
        ]
        yield change("shorter answers", *free, *smaller, *lengths)
    yield from _lighter(change, target, draft, [*free, *smaller])
    if target.grow is not None:
        layers = target.grow.built_layers or target.grow.num_hidden_layers or 0
        fewest = int(described(target)["num_hidden_layers"])
        while layers > fewest:
            layers = max(fewest, layers * 3 // 4)
            yield change(
                "fewer of the stand-in's layers, as the report will say",
                *free,
                ("pair.target.grow.built_layers", layers),
            )
    yield from _larger_machines(config, machine)


def _lighter(
    change: Callable[..., Change],
    target: ModelConfig,
    draft: ModelConfig,
    smaller: list[tuple[str, object]],
) -> Iterator[Change]:
    steps = (("int8", "8 bits a weight"), ("nf4", "4 bits a weight"))
    lighter_than = {None: steps, "int8": steps[1:], "int8wo": steps[1:], "nf4": ()}
    light: list[tuple[str, object]] = []
    for kind, words in lighter_than.get(target.quantization, ()):
        light = [("pair.target.quantization", kind)]
        yield change(f"the target in {words}", *light)
        yield change(f"the target in {words}, smaller batches", *smaller, *light)
    for kind, words in lighter_than.get(draft.quantization, ()):
        draft_too = ("pair.draft.quantization", kind)
        yield change(f"the draft in {words} as well", *smaller, *light, draft_too)


def _larger_machines(config: RunConfig, machine: Machine) -> Iterator[Change]:
    """The same pair, unchanged, on more devices; the first that fits is the smallest."""
    from judge_lightning.models.machine import Machine

    changed = copy.deepcopy(config)
    for model in (changed.pair.target, changed.pair.draft):
        if not _uses_all(model):
            model.device_map = "auto"
    changed.engine.device = "auto"
    first = len(machine.memory) + 1 if machine.is_gpu else 1
    size = min(machine.memory) if machine.is_gpu else _GPU
    for count in range(first, _MANY + 1):
        larger = Machine((size,) * count, is_gpu=True)
        yield Change((f"on {larger.describe()}",), "more devices", changed, larger)


def _uses_all(model: ModelConfig) -> bool:
    return model.device_map is not None or model.tensor_parallel


def _set(config: RunConfig, field: str, value: object) -> None:
    *path, name = field.split(".")
    node: object = config
    for part in path:
        node = getattr(node, part)
    setattr(node, name, value)
