"""The decoders of a run as they are configured: which there are, and what they decode with."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.config import RunConfig
from pipelines.draft_length import draft_length_of
from pipelines.judge_heads import decodes_with_draft_states
from pipelines.pair import pair_loader
from pipelines.stand_in import model_fingerprint

if TYPE_CHECKING:
    from evals.comparison import Comparison
    from judge_lightning.crew import Crew

_HINTS = {"eager": "", "compiled": " (its first run on a machine compiles for a minute or two)"}


def prepare_comparison(
    config: RunConfig, judge: Path | None, engine_field: str, hired: Crew | None = None
) -> tuple[Comparison, Crew]:
    """What everybody who decodes starts from, and who decodes.

    Args:
        judge: The folder of the judge; None where no decoder asks one.
        engine_field: Where the user has set ``engine.kind`` of this configuration.
        hired: Who decodes in place of this machine's processes.

    Raises:
        UserError: The judge cannot be read, or was trained on other models.
    """
    from evals.decoders import choose_engine

    crew, threads, on_gpu = _at_home(config) if hired is None else (hired, *_of_replica(config))
    reading = decoders_reading_draft(config)
    engine = choose_engine(
        config.engine.kind, config.engine.temperature, on_gpu=on_gpu, reading=reading
    )
    if engine != config.engine.kind:
        what = "probabilities" if _reading_probabilities(config) else "states"
        hint = f" ({', '.join(reading)} reads the draft's {what})" if reading else ""
        hint = hint or _HINTS[engine]
        print(f"{engine_field}={config.engine.kind} takes {engine}{hint}", flush=True)
    return _comparison(config, judge, threads, engine), crew


def _at_home(config: RunConfig) -> tuple[Crew, int, bool]:
    """This machine's processes, the threads of each, and whether they have GPUs."""
    from evals.side_by_side import SideBySide
    from evals.workers import cpu_threads, visible_gpus, worker_devices

    gpus = visible_gpus(config.engine.device)
    devices = worker_devices(_workers(config), gpus)
    return SideBySide(devices), cpu_threads(len(devices)), bool(gpus)


def _of_replica(config: RunConfig) -> tuple[int, bool]:
    """The threads of a replica elsewhere, and whether it has GPUs."""
    replica = config.launch.ray
    assert replica is not None, "nobody was hired"
    on_gpu = replica.gpus_per_replica > 0 and config.engine.device != "cpu"
    return max(1, int(replica.cpus_per_replica)), on_gpu


def judged_decoders(config: RunConfig) -> list[str]:
    """The run's decoders that ask the judge."""
    from evals.decoders import needing_judge

    return needing_judge(config.verifier.decoders, config.verifier.rules)


def used_rules(config: RunConfig) -> dict[str, Any]:
    """The acceptance rules of the run's decoders that have one of their own, as configured."""
    rules = config.verifier.rules
    return {name: rules[name] for name in config.verifier.decoders if name in rules}


def decoders_reading_draft(config: RunConfig) -> list[str]:
    """The run's decoders that read the draft's states, or its probabilities when greedy too."""
    judged = judged_decoders(config) if decodes_with_draft_states(config) else []
    return list(dict.fromkeys([*judged, *_reading_probabilities(config)]))


def _reading_probabilities(config: RunConfig) -> list[str]:
    from evals.decoders import reading_draft

    return reading_draft(config.verifier.decoders, config.verifier.rules)


def _comparison(config: RunConfig, judge: Path | None, threads: int, engine: str) -> Comparison:
    from evals.comparison import Comparison

    models = model_fingerprint(config.pair.target), model_fingerprint(config.pair.draft)
    if judge is not None:
        load_head(judge, *models)
    return Comparison(
        load_pair=pair_loader(config),
        load_head=partial(load_head, judge, *models) if judge is not None else None,
        decoders=tuple(config.verifier.decoders),
        draft_length=draft_length_of(config.engine),
        max_new_tokens=config.engine.max_new_tokens,
        temperature=config.engine.temperature,
        seed=config.seed,
        threads=threads,
        engine=engine,
        rules=dict(config.verifier.rules),
    )


def _workers(config: RunConfig) -> int:
    """A model that is sharded over all GPUs leaves none for a second process."""
    sharded = config.pair.target.device_map is not None
    return config.engine.workers or (1 if sharded else 0)


def load_head(folder: Path, target: str, draft: str) -> Any:
    """Loads a judge for these models, named by their fingerprints.

    Raises:
        UserError: It cannot be read, or was trained on other models.
    """
    from judge_lightning.heads import JudgeHead

    return JudgeHead.from_pretrained(folder, expected_target=target, expected_draft=draft)
