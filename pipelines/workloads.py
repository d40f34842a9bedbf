"""Which models the stages of a run load together, and what they read with them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from judge_lightning.errors import UserError
from pipelines.authors import writing_roles
from pipelines.config import ModelConfig, RunConfig
from pipelines.mt_bench import answering_run, local_grader
from pipelines.stand_in import seed_of, timed_run

if TYPE_CHECKING:
    from judge_lightning.models.machine import Machine
    from judge_lightning.models.memory_plan import MemoryPlan, SizedModel, Workload
    from judge_lightning.models.size import ModelSize

LOADING_STAGES = frozenset(
    {
        *("mine", "embed", "baseline", "decode", "speed", "evaluate", "acceptance", "trials"),
        *("mt_answers", "mt_bench", "safety"),
    }
)
"""The stages that load a model of the pair."""


def run_machine(config: RunConfig) -> Machine:
    """The described machine, or the one at hand.

    Raises:
        UserError: The description cannot be read.
    """
    from judge_lightning.models.machine import parse_machine, this_machine

    described, device = config.launch.machine, config.engine.device
    if described is not None:
        return parse_machine(described, is_gpu=device != "cpu")
    return this_machine(device)


def plan_stages(config: RunConfig, stages: Collection[str], machine: Machine) -> list[MemoryPlan]:
    """The memory of every device in each of the stages that load a model.

    Raises:
        UserError: A model's shape is unknown, or the number of reckoned tokens is below 1.
    """
    from judge_lightning.models.memory_plan import plan_memory

    if config.launch.prompt_tokens < 1:
        raise UserError(
            "launch.prompt_tokens", f"is {config.launch.prompt_tokens}", "give 1 or more"
        )
    plans = []
    if "mine" in stages:
        for role, model in (("target", config.pair.target), ("draft", config.pair.draft)):
            if role in writing_roles(config):
                plans.append(plan_memory(_mine(config, role, seed_of(model)), machine))
    if "embed" in stages:
        plans.append(plan_memory(_embed(config), machine))
    if "acceptance" in stages and config.acceptance.texts:
        plans.append(
            plan_memory(_reading("acceptance", config, config.acceptance.batch_size), machine)
        )
    if "safety" in stages and config.safety.path is not None:
        plans.append(plan_memory(_reading("safety", config, config.safety.batch_size), machine))
    if {"baseline", "trials", "decode", "evaluate"}.intersection(stages):
        plans.append(_plan_decoding(config, machine, "decode"))
    timed = timed_run(config)
    if "speed" in stages and timed is not None:
        plans.append(_plan_decoding(timed, machine, "speed"))
    if "mt_answers" in stages and config.mt_bench.grader is not None:
        plans.append(_plan_decoding(answering_run(config), machine, "mt_answers"))
    if "mt_bench" in stages and (grader := local_grader(config)) is not None:
        plans.append(plan_memory(_grade(config, grader), machine))
    return plans


def size_of(model: ModelConfig) -> ModelSize:
    """The exact size of a configured model, without loading or fetching it."""
    from judge_lightning.models.size import measure_size

    return measure_size(
        model.path,
        model.shape,
        dtype=model.dtype,
        quantization=model.quantization,
        revision=model.revision,
        growth=model.grow,
    )


def _mine(config: RunConfig, role: str, model: ModelConfig) -> Workload:
    """Batches of answers; the authors' models are loaded one after another."""
    from judge_lightning.models.memory_plan import Workload

    return Workload(
        f"mine ({role})",
        {role: _sized(model)},
        rows=config.mine.batch_size,
        prompt=config.launch.prompt_tokens,
        new_tokens=config.mine.max_new_tokens,
    )


def _embed(config: RunConfig) -> Workload:
    """Whole answers behind their prompts, all layers kept; a shard is gathered in the RAM."""
    from judge_lightning.models.memory_plan import Workload
    from judge_lightning.models.parts import DTYPE_BYTES

    target = _sized(seed_of(config.pair.target))
    numbers = len(target.size.parts.blocks) * target.size.shape.width
    return Workload(
        "embed",
        {"target": target},
        rows=config.embed.batch_size,
        prompt=config.launch.prompt_tokens + config.mine.max_new_tokens,
        keeps_all_layers=True,
        host_bytes=config.embed.shard_tokens * numbers * DTYPE_BYTES.get(config.embed.dtype, 4),
    )


def _reading(stage: str, config: RunConfig, rows: int) -> Workload:
    """Whole answers behind their prompts, with the logits of as many as have room."""
    from judge_lightning.models.memory_plan import Workload
    from judge_lightning.teacher_forcing import LOGIT_BYTES

    target = _sized(seed_of(config.pair.target))
    answer = config.mine.max_new_tokens
    row = target.size.shape.vocabulary * target.size.shape.number * answer
    return Workload(
        stage,
        {"target": target},
        rows=rows,
        prompt=config.launch.prompt_tokens + answer,
        logits=max(row, min(rows * row, LOGIT_BYTES)),
    )


def _grade(config: RunConfig, grader: ModelConfig) -> Workload:
    """Batches of replies about two conversations of two turns each."""
    from judge_lightning.models.memory_plan import Workload

    bench = config.mt_bench
    return Workload(
        "mt_bench",
        {"grader": _sized(grader)},
        rows=bench.batch_size,
        prompt=2 * config.launch.prompt_tokens + 4 * bench.max_new_tokens,
        new_tokens=bench.grade_tokens,
    )


def _plan_decoding(config: RunConfig, machine: Machine, stage: str) -> MemoryPlan:
    from judge_lightning.models.memory_plan import plan_memory

    workers, part = _workers(config, machine)
    return plan_memory(_decode(config, stage, 1 if machine.is_gpu else workers), part)


def _decode(config: RunConfig, stage: str, copies: int) -> Workload:
    """One prompt at a time with both models; without GPUs each process has its own."""
    from judge_lightning.models.memory_plan import Workload
    from pipelines.draft_length import draft_length_of

    return Workload(
        stage,
        {"target": _sized(config.pair.target), "draft": _sized(config.pair.draft)},
        rows=1,
        prompt=config.launch.prompt_tokens,
        new_tokens=config.engine.max_new_tokens,
        draft_length=draft_length_of(config.engine).longest,
        copies=copies,
    )


def _workers(config: RunConfig, machine: Machine) -> tuple[int, Machine]:
    """How many decoding processes there would be, and the part of the machine that each has."""
    from evals.workers import worker_devices

    asked = config.engine.workers or (1 if config.pair.target.device_map is not None else 0)
    gpus = [str(number) for number in range(len(machine.memory))] if machine.is_gpu else []
    shares = worker_devices(asked, gpus)
    own = len(shares[0].split(",")) if shares[0] is not None else len(machine.memory)
    return len(shares), machine.first(own)


def _sized(model: ModelConfig) -> SizedModel:
    from judge_lightning.models.memory_plan import SizedModel

    return SizedModel(
        size_of(model), spread=model.device_map is not None, split=model.tensor_parallel
    )
