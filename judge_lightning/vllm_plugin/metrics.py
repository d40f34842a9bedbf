"""The judge's counts on their way from the worker to vLLM's Prometheus endpoint.

worker      ModelRunnerOutput.judge_counts            (runner.py)
engine      SpecDecodingStats.judge_*                 three more fields of vLLM's own
front end   counters and gauges beside vllm:spec_decode_*
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from functools import wraps
from typing import Any

FIELDS = ("judge_num_drafts", "judge_num_accepted_tokens", "judge_num_overruled_tokens")
COUNTERS = {
    "vllm:judge_num_drafts": "Cycles of requests that asked the judge.",
    "vllm:judge_num_accepted_tokens": "Draft tokens accepted in these cycles.",
    "vllm:judge_num_overruled_tokens": (
        "Those of them that the judge alone kept (of sampled requests the expected number)."
    ),
}
GAUGES = {
    "vllm:judge_accepted_per_cycle": "Accepted draft tokens per judged cycle, since the start.",
    "vllm:judge_share_kept_alone": "Share of these that the judge alone kept, since the start.",
}


def install() -> None:
    """Extends vLLM's statistics in this process; twice does no harm."""
    from vllm.v1.core.sched.scheduler import Scheduler
    from vllm.v1.spec_decode import metrics

    stats = metrics.SpecDecodingStats
    if hasattr(stats, FIELDS[0]):
        return
    for known in fields(stats):
        if known.default_factory is not MISSING:  # A dataclass takes these off its class.
            setattr(stats, known.name, field(default_factory=known.default_factory))
    for name in FIELDS:
        stats.__annotations__[name] = float
        setattr(stats, name, 0.0)
    # The class object stays the one that every part of vLLM knows; it only gains fields, which
    # its messages between processes then carry.
    dataclass(stats)
    _extend_scheduler(Scheduler, stats)
    _extend_prometheus(metrics)
    _extend_logging(metrics.SpecDecodingLogging)


def _extend_scheduler(scheduler: Any, stats: Any) -> None:
    update, make = scheduler.update_from_output, scheduler.make_stats

    @wraps(update)
    def update_from_output(self: Any, scheduled: Any, output: Any) -> Any:
        self.judge_counts = getattr(output, "judge_counts", None)
        return update(self, scheduled, output)

    @wraps(make)
    def make_stats(self: Any, *arguments: Any, **named: Any) -> Any:
        made = make(self, *arguments, **named)
        counts, self.judge_counts = getattr(self, "judge_counts", None), None
        if made is not None and counts is not None:
            if made.spec_decoding_stats is None:
                made.spec_decoding_stats = stats.new(self.num_spec_tokens)
            for name, value in zip(FIELDS, counts, strict=True):
                setattr(made.spec_decoding_stats, name, value)
        return made

    scheduler.update_from_output, scheduler.make_stats = update_from_output, make_stats


def _extend_prometheus(metrics: Any) -> None:
    prometheus = metrics.SpecDecodingProm
    start, see = prometheus.__init__, prometheus.observe

    @wraps(start)
    def begin(self: Any, config: Any, labels: Any, values: Any, *rest: Any, **named: Any) -> None:
        start(self, config, labels, values, *rest, **named)
        self.judge_metrics = {}
        if not self.spec_decoding_enabled:
            return
        gauge = metrics.prometheus_client.Gauge
        kinds = [(self._counter_cls, COUNTERS, {}), (gauge, GAUGES, {"multiprocess_mode": "sum"})]
        for kind, described, options in kinds:
            for name, text in described.items():
                metric = kind(name=name, documentation=text, labelnames=labels, **options)
                self.judge_metrics[name] = metrics.create_metric_per_engine(metric, values)
        self.judge_totals = {engine: [0.0, 0.0, 0.0] for engine in values}

    @wraps(see)
    def observe(self: Any, stats: Any, engine_idx: int = 0) -> None:
        see(self, stats, engine_idx)
        if not self.spec_decoding_enabled:
            return
        totals = self.judge_totals[engine_idx]
        for place, (count, name) in enumerate(zip(FIELDS, COUNTERS, strict=True)):
            value = getattr(stats, count)
            totals[place] += value
            self.judge_metrics[name][engine_idx].inc(value)
        cycles, accepted, overruled = totals
        for name, part, whole in zip(
            GAUGES, (accepted, overruled), (cycles, accepted), strict=True
        ):
            self.judge_metrics[name][engine_idx].set(part / whole if whole else 0.0)

    prometheus.__init__, prometheus.observe = begin, observe


def _extend_logging(logging: Any) -> None:
    see, reset, log = logging.observe, logging.reset, logging.log

    @wraps(reset)
    def new_reset(self: Any) -> None:
        reset(self)
        self.judge_totals = [0.0, 0.0, 0.0]

    @wraps(see)
    def observe(self: Any, stats: Any) -> None:
        see(self, stats)
        for place, count in enumerate(FIELDS):
            self.judge_totals[place] += getattr(stats, count)

    @wraps(log)
    def new_log(self: Any, *arguments: Any, **named: Any) -> None:
        cycles, accepted, overruled = self.judge_totals
        if cycles:
            write = arguments[0] if arguments else named.get("log_fn")
            if write is None:
                from vllm.logger import init_logger

                write = init_logger("vllm.judge_lightning").info
            write(
                "Judge: %.2f accepted per cycle in %d cycles, %.1f%% of them kept by it alone",
                accepted / cycles,
                cycles,
                100 * overruled / max(accepted, 1.0),
            )
        log(self, *arguments, **named)

    logging.observe, logging.reset, logging.log = observe, new_reset, new_log
