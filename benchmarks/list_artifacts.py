"""How long ``ls`` takes with 10,000 artifacts: ``python -m benchmarks.list_artifacts``.

Whole commands in processes of their own, Python's start included: in a folder that was never listed
before and again, and on a real S3-like server on this machine (moto's), which a fresh machine asks
for the first time. ``bare`` is the same command on a folder of one artifact. The manifests are a
quickstart's in size (20 files each).
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from benchmarks.measuring import note, parser_for, print_table, run_script, save, start
from pipelines.manifest import FileEntry, Manifest
from pipelines.store import Summary
from pipelines.store.address import Address
from pipelines.store.remote import RemoteStore

GOAL = 2.0
"""Seconds that listing 10,000 artifacts may take."""
URL = "s3://artifacts/benchmark"


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes the stores, times the commands, prints a table and writes JSON."""
    parser = parser_for(__doc__)
    parser.add_argument("--artifacts", type=int, default=10_000, help="how many there are")
    parser.add_argument("--rounds", type=int, default=5, help="the best of so many is shown")
    given = start(parser, arguments)
    count, rounds = (50, 1) if given.quick else (given.artifacts, given.rounds)
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary, s3_server():
        folder, single = Path(temporary) / "many", Path(temporary) / "one"
        summaries = [write_artifact(folder, number) for number in range(count)]
        write_artifact(single, 0)
        note(f"{count:,} artifacts, {sum(s.files for s in summaries):,} files in their manifests")
        index = folder / ".index.json"
        seconds["bare"] = best(rounds, str(single))
        seconds["folder, first time"] = best(rounds, str(folder), before=index)
        seconds["folder, again"] = best(rounds, str(folder))
        seconds["S3, one artifact"] = best(rounds, fill(summaries[:1], "/one"))
        seconds["S3, fresh machine"] = best(rounds, fill(summaries, "/many"))
    rows = [[name, f"{value:.2f}", f"{value / GOAL:.2f}"] for name, value in seconds.items()]
    print_table(f"ls, {count:,} artifacts", ["store", "seconds", f"of {GOAL:.0f} s"], rows)
    save("list_artifacts", {"artifacts": count, "seconds": seconds, "goal": GOAL}, given.out)


def best(rounds: int, place: str, before: Path | None = None) -> float:
    """The least wall-clock seconds of ``rounds`` commands; ``before`` is deleted before each."""
    taken = []
    for _ in range(rounds):
        if before is not None:
            before.unlink(missing_ok=True)
        began = time.perf_counter()
        command = [sys.executable, "-m", "pipelines.artifacts", "ls", "--artifacts-dir", place]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - began)
    return min(taken)


def write_artifact(root: Path, number: int) -> Summary:
    """Makes an artifact of no more than its manifest, which is all that ``ls`` reads."""
    key = hashlib.sha256(str(number).encode()).hexdigest()
    stage = ("mine", "embed", "train", "calibrate", "decode")[number % 5]
    manifest = Manifest(
        stage=stage,
        key=key,
        version=1,
        settings={"lr": 0.001, "layers": list(range(8)), "weights": key, "path": "judge/paper"},
        inputs={"prompts": key, "mine": key},
        files={f"shard-{shard:05d}.safetensors": FileEntry(2**20, key) for shard in range(20)},
        metrics={f"metric_{metric}": metric / 7 for metric in range(10)},
        timings={"started": "2026-11-30T13:38:22+00:00", "seconds": 407.7},
        origin={"git_commit": key[:40], "packages": {f"package{n}": "1.2.3" for n in range(10)}},
    )
    folder = root / stage / key
    folder.mkdir(parents=True)
    text = json.dumps(manifest.to_json(), indent=2)
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    return Summary(**asdict(Summary.of(manifest)))


def fill(summaries: list[Summary], below: str) -> str:
    """A remote store whose index holds these, the last 15 not merged yet; returns its URL."""
    remote = RemoteStore(Address.parse(URL + below))
    merged, single = summaries[:-15], summaries[-15:]
    remote._index.write_anew({(s.stage, s.key): s for s in merged}, [])
    for summary in single:
        remote._index.add(summary)
    return remote.url


@contextmanager
def s3_server() -> Iterator[None]:
    """moto's server in a process of its own, with a bucket, named in the environment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    before = dict(os.environ)
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    _forget_servers()
    try:
        _make_bucket(port)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        _forget_servers()
        server.terminate()
        server.wait()


def _forget_servers() -> None:
    """fsspec keeps an opened file system for good, whatever the environment names by then."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def _make_bucket(port: int) -> None:
    import fsspec

    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    fsspec.filesystem("s3").mkdir(Address.parse(URL).url.split("/")[2])


if __name__ == "__main__":
    run_script(main)
