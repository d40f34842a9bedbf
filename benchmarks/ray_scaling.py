"""What Ray adds to a shard, what a second worker brings, and where more would stop helping.

Measured on a local cluster: shards that do nothing, shards that wait as for an accelerator, and
shards of *mine* by the micro target, each with one thread. The best of several rounds counts, and
what a shard takes is its processor time: other work on the machine can only slow them. The rest is
reckoned from these times (``benchmarks.shard_simulation``).
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.measuring import note, parser_for, print_table, run_script, save, start
from benchmarks.ray_shards import Done, Empty, Timed, Waiting, read_done, steady_rate
from benchmarks.shard_simulation import Costs, Outlook, last_worth_doubling, outlooks
from benchmarks.subjects import held_out_prompts, pair_config
from judge_lightning.court.records import write_records
from judge_lightning.crew import Alone, Crew, Shard
from pipelines.config import RayConfig, RunConfig
from pipelines.crew.ray_cluster import joined_cluster
from pipelines.crew.ray_crew import RayCrew
from pipelines.drafting import CourtPrompts
from pipelines.mining import AskedShard, MineBench, MineShard

LOAD = bytes(256 * 1024)
SIMULATED = 10_000
MOST_WORKERS = 4096
BLOCK = 50
WAIT_SECONDS = 0.5
WAITERS = (1, 2, 4, 8)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, reckons and writes both."""
    given = start(_parser(), arguments)
    settings = RayConfig(replicas=2)
    began = time.perf_counter()
    with joined_cluster(settings):
        cluster_seconds = time.perf_counter() - began
        overhead = _overhead(settings, given.empty)
        waiting = _waiting_rates(settings, given.waiting)
        times, scaling = _scaling(settings, given)
    costs = Costs(
        hire=overhead["hire"],
        open=scaling["open"],
        driver=overhead["driver"],
        way=max(0.0, overhead["one_replica"] - overhead["driver"]),
    )
    drawn = random.Random(0).choices(times, k=given.simulated)
    found = {
        f"{factor}x": list(outlooks([factor * one for one in drawn], costs, MOST_WORKERS))
        for factor in given.factors
    }
    _print_measured(overhead, waiting, scaling, cluster_seconds)
    _print_reckoned(found, given.simulated, fmean(times))
    result = {
        "cluster_seconds": cluster_seconds,
        "overhead": overhead,
        "waiting": {str(workers): rate for workers, rate in waiting.items()},
        "scaling": scaling,
        "shard_seconds": times,
        "costs": asdict(costs),
        "simulated": {name: [asdict(one) for one in rows] for name, rows in found.items()},
    }
    save("ray_scaling", result, given.out)


def _overhead(settings: RayConfig, count: int) -> dict[str, float]:
    """Seconds a shard that does nothing, and from hiring to the first of them."""
    one, first = _seconds_a_shard(RayCrew(settings, 1), [Empty(n) for n in range(count)])
    two, _ = _seconds_a_shard(RayCrew(settings, 2), [Empty(n) for n in range(count)])
    ahead = RayCrew(replace(settings, in_flight=8), 2)
    driver, _ = _seconds_a_shard(ahead, [Empty(n) for n in range(count)])
    loaded, _ = _seconds_a_shard(RayCrew(settings, 1), [Empty(n, LOAD) for n in range(count)])
    alone, _ = _seconds_a_shard(Alone(), [Empty(n) for n in range(count)])
    return {
        "one_replica": one,
        "two_replicas": two,
        "driver": driver,
        "with_256_KiB": loaded,
        "alone": alone,
        "first_shard": first,
        "hire": _hire_seconds(settings),
    }


def _seconds_a_shard(crew: Crew, shards: Iterable[Empty]) -> tuple[float, float]:
    """In the fastest stretch of ``BLOCK`` shards, and from the start to the first one."""
    began = time.perf_counter()
    heard = [time.perf_counter() for _ in crew.carry_out(_no_bench, shards)]
    blocks = zip(heard, heard[BLOCK:], strict=False)
    return min(end - start for start, end in blocks) / BLOCK, heard[0] - began


def _waiting_rates(settings: RayConfig, count: int) -> dict[int, float]:
    """Shards a second of several workers, each shard ``WAIT_SECONDS`` long. Only waiting, more of
    them than there are cores find room."""
    rates = {}
    for workers in WAITERS:
        crew = RayCrew(replace(settings, cpus_per_replica=1 / 8), workers)
        with tempfile.TemporaryDirectory() as folder:
            shards = [Timed(Waiting(n, WAIT_SECONDS), Path(folder)) for n in range(count * workers)]
            for _ in crew.carry_out(_no_bench, shards):
                pass
            rates[workers] = steady_rate(read_done(Path(folder)))
    return rates


def _no_bench() -> str:
    return "nothing"


def _hire_seconds(settings: RayConfig, count: int = 20) -> float:
    """What the driver takes to ask for a replica; most of these never find room."""
    import ray

    from pipelines.crew.worker import Replica, Surroundings

    asked = ray.remote(Replica).options(num_cpus=settings.cpus_per_replica)
    began = time.perf_counter()
    actors = [asked.remote(Surroundings(".", {}, 1), _no_bench) for _ in range(count)]
    seconds = (time.perf_counter() - began) / count
    for actor in actors:
        ray.kill(actor)
    return seconds


def _scaling(
    settings: RayConfig, given: argparse.Namespace
) -> tuple[list[float], dict[str, float]]:
    """The seconds of mine's shards with one worker, and the rates of one and two."""
    config = pair_config("micro")
    config.mine.max_new_tokens, config.mine.shard_size = given.max_new_tokens, 16
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        prompts = [replace(one, split="train") for one in held_out_prompts(given.prompts)]
        write_records(root / "prompts.jsonl", prompts)
        rates, opening = {1: [], 2: []}, []
        alone: list[Done] = []
        beside: list[Done] = []
        for turn in range(given.rounds):
            for workers in (1, 2):
                work = root / f"{turn}-{workers}"
                began = time.time()
                done = _mined(RayCrew(settings, workers), config, root, work)
                rates[workers].append(steady_rate(done))
                opening.append(min(one.began for one in done) - began)
                (alone if workers == 1 else beside).extend(done)
        at_home = _mined(Alone(), config, root, root / "home")
    one, two = max(rates[1]), max(rates[2])
    return [done.processor for done in alone], {
        "rate_here": steady_rate(at_home),
        "rate_1": one,
        "rate_2": two,
        "gain": two / one,
        "processor_here": fmean(done.processor for done in at_home),
        "processor_1": fmean(done.processor for done in alone),
        "processor_2": fmean(done.processor for done in beside),
        "open": min(opening),
    }


def _mined(crew: Crew, config: RunConfig, root: Path, work: Path) -> list[Done]:
    prompts = CourtPrompts(root / "prompts.jsonl", config.mine.shard_size)
    (work / "done").mkdir(parents=True)
    open_bench: Callable[[], MineBench] = partial(
        MineBench, config, prompts, work, ["target"], away=True
    )
    shards: list[Shard[Any]] = [
        Timed(AskedShard(MineShard(work, "target", number), stretch), work / "done")
        for number, stretch in prompts.stretch(set(range(prompts.stretches)))
    ]
    for _ in crew.carry_out(open_bench, shards):
        pass
    return read_done(work / "done")


def _print_measured(
    overhead: dict[str, float],
    waiting: dict[int, float],
    scaling: dict[str, float],
    cluster_seconds: float,
) -> None:
    rows = [
        ("here, without Ray", overhead["alone"]),
        ("1 replica", overhead["one_replica"]),
        ("2 replicas", overhead["two_replicas"]),
        ("2 replicas, 8 shards ahead: the driver alone", overhead["driver"]),
        ("1 replica, 256 KiB a shard", overhead["with_256_KiB"]),
    ]
    shown = [(name, f"{1000 * seconds:.2f}") for name, seconds in rows]
    print_table("A shard that does nothing", ["carried out by", "ms a shard"], shown)
    note(
        f"starting: cluster {cluster_seconds:.1f} s, a replica that loads nothing "
        f"{overhead['first_shard']:.1f} s, one with the micro target {scaling['open']:.1f} s"
    )
    shown = [
        (str(workers), f"{rate:.2f}", f"{rate / waiting[1]:.2f}")
        for workers, rate in waiting.items()
    ]
    columns = ["workers", "shards a second", "ratio"]
    print_table(f"Shards that wait {WAIT_SECONDS:g} s", columns, shown)
    rates = [
        (name, f"{rate:.2f}", f"{rate / scaling['rate_1']:.2f}", f"{scaling[processor]:.3f}")
        for name, rate, processor in (
            ("this process", scaling["rate_here"], "processor_here"),
            ("1 worker", scaling["rate_1"], "processor_1"),
            ("2 workers", scaling["rate_2"], "processor_2"),
        )
    ]
    columns = ["", "shards a second", "ratio", "processor seconds a shard"]
    print_table("Shards of mine", columns, rates)


def _print_reckoned(found: dict[str, list[Outlook]], simulated: int, mean: float) -> None:
    for name, outlook in found.items():
        factor = float(name.removesuffix("x"))
        title = f"Reckoned: {simulated} shards of {factor * mean:.3g} s on average"
        print_table(
            title,
            ["workers", "seconds", "speed-up", "at work", "starting", "for the driver", "ending"],
            [_row(one, outlook[0]) for one in outlook],
        )
        last = last_worth_doubling(outlook)
        note(f"twice {last.workers} workers are less than 1.5 times as fast: {_why(outlook, last)}")


def _row(one: Outlook, first: Outlook) -> list[str]:
    shares = (one.working, one.starting, one.waiting, one.ending)
    return [
        str(one.workers),
        f"{one.seconds:,.0f}",
        f"{first.seconds / one.seconds:,.1f}",
        *(f"{share:.0%}" for share in shares),
    ]


def _why(found: list[Outlook], last: Outlook) -> str:
    after = found[min(found.index(last) + 1, len(found) - 1)]
    return f"with {after.workers}, most of what is lost goes to the {after.why}"


def _parser() -> argparse.ArgumentParser:
    parser = parser_for(__doc__)
    parser.add_argument("--empty", type=int, default=400, help="shards that do nothing")
    parser.add_argument("--waiting", type=int, default=20, help="shards that wait, a worker")
    parser.add_argument("--prompts", type=int, default=320, help="16 a shard of mine")
    parser.add_argument("--max-new-tokens", type=int, default=96, help="of an answer")
    parser.add_argument("--rounds", type=int, default=2, help="the best of so many counts")
    parser.add_argument("--simulated", type=int, default=SIMULATED, help="shards to reckon with")
    parser.add_argument(
        "--factors", type=int, nargs="+", default=[1, 100], help="times as long as measured"
    )
    return parser


if __name__ == "__main__":
    run_script(main)
