"""The review server over real HTTP: what it saves, what it refuses."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from judge_lightning.court.records import write_records
from judge_lightning.court.review import Decision, DecisionsFile, read_decisions, tuple_id
from tests.review.conftest import Decide, MakeTuple, Serve, Served


def _decide(served: Served, verdict: str, marked: list[int] | None = None, **fields: Any) -> Any:
    place = fields.pop("place", None)
    if place is None:
        place = served.request("GET", "/api/session")[1]["next"]
    item = served.request("GET", f"/api/items/{place}")[1]
    body = {
        "place": place,
        "tuple_id": item["id"],
        "verdict": verdict,
        "marked": marked,
        "note": "",
    }
    status, answer, _ = served.request("POST", "/api/decisions", {**body, **fields})
    assert status == 200, answer
    return answer


def test_the_most_doubtful_tuple_comes_first(court_file: Path, served: Served) -> None:
    status, item, _ = served.request("GET", "/api/items/0")

    assert status == 200
    assert (item["prompt"], item["reference"]) == ("What is sum 2?", "2")
    assert "".join(text for text, _ in item["pieces"]) == "3 + 4 = 8. So 8."
    assert [text for text, is_word in item["pieces"] if is_word][item["proposed"][0]] == "8"


def test_a_decision_is_on_disk_when_it_is_answered(court_file: Path, served: Served) -> None:
    overview = _decide(served, "keep", note="clear")
    log = read_decisions(court_file.parent / "reviews" / "rev1.jsonl")

    assert (overview["decided"], overview["total"], overview["next"]) == (1, 3, 1)
    assert [(d.verdict, d.span, d.note) for d in log.decisions] == [("accept", (8, 9), "clear")]


def test_a_moved_mistake_is_saved_in_characters(court_file: Path, served: Served) -> None:
    _decide(served, "keep", [0, 2])
    _decide(served, "keep", [4, 4])
    _decide(served, "keep", [9, 9])

    [first, second, third] = read_decisions(court_file.parent / "reviews" / "rev1.jsonl").decisions
    assert (first.verdict, first.span) == ("move", (0, 5))
    assert (second.verdict, second.span) == ("accept", (8, 9)), "moved back to the proposal"
    assert (third.verdict, third.span) == ("move", (16, 16)), "the end of the answer"


def test_undo_takes_back_one_after_the_other(court_file: Path, served: Served) -> None:
    _decide(served, "keep")
    _decide(served, "reject")

    first = served.request("POST", "/api/undo", {})[1]
    second = served.request("POST", "/api/undo", {})[1]
    status, answer, _ = served.request("POST", "/api/undo", {})

    assert [first["next"], second["next"]] == [1, 0]
    assert (second["decided"], status) == (0, 409)
    assert answer == {"problem": "there is nothing to undo"}


def test_a_killed_server_goes_on_where_it_was(court_file: Path, serve: Serve) -> None:
    with serve(court_file) as served:
        _decide(served, "keep")
        _decide(served, "skip")
        token = served.token
        served.kill()
    with serve(court_file) as again:
        overview = again.request("GET", "/api/session")[1]

        assert overview["counts"] == {"accept": 1, "skip": 1}
        assert overview["next"] == 2
        assert again.token == token, "an address stays good"
        assert again.request("POST", "/api/undo", {})[1]["next"] == 1


def test_a_line_cut_short_is_said_at_the_start(
    court_file: Path, serve: Serve, decide: Decide
) -> None:
    path = court_file.parent / "reviews" / "rev1.jsonl"
    path.parent.mkdir()
    path.write_text(decide().line() + decide().line()[:40], encoding="utf-8")

    with serve(court_file) as served:
        assert any("cut short" in line for line in served.said)
        _decide(served, "reject")

    assert [d.verdict for d in read_decisions(path).decisions] == ["accept", "reject"]


def test_agreement_with_others_shows_only_after_the_own_decision(
    court_file: Path, serve: Serve, make_tuple: MakeTuple, decide: Decide
) -> None:
    doubtful = make_tuple("3 + 4 = 8. So 8.", prompt_id="p2")
    path = court_file.parent / "rev2.jsonl"
    with DecisionsFile(path) as file:
        file.append(decide("reject", "rev2", tuple_id=tuple_id(doubtful)))

    with serve(court_file, "--with", str(path)) as served:
        before = served.request("GET", "/api/items/0")[1]
        overview = _decide(served, "keep")
        after = served.request("GET", "/api/items/0")[1]

        assert before["others"] == []
        assert after["others"] == [{"reviewer": "rev2", "verdict": "reject", "text": ""}]
        [pair] = overview["agreement"]
        assert (pair["second"], pair["shared"], pair["same_verdict"]) == ("rev2", 1, 0)


def test_disputed_shows_only_what_others_disagree_on(
    court_file: Path, serve: Serve, make_tuple: MakeTuple, decide: Decide
) -> None:
    one = tuple_id(make_tuple("3 + 4 = 8. So 8.", prompt_id="p2"))
    two = tuple_id(make_tuple("1 + 1 = 3. So 3.", prompt_id="p3"))
    verdicts = {"rev2": {one: "reject", two: "accept"}, "rev3": {one: "reject", two: "move"}}
    options = []
    for reviewer, decided in verdicts.items():
        with DecisionsFile(court_file.parent / f"{reviewer}.jsonl") as file:
            for name, verdict in decided.items():
                file.append(decide(verdict, reviewer, tuple_id=name))
        options += ["--with", str(file.path)]

    with serve(court_file, "--disputed", *options) as served:
        assert served.request("GET", "/api/session")[1]["total"] == 1
        assert served.request("GET", "/api/items/0")[1]["id"] == two


def test_a_sample_is_the_same_every_time(court_file: Path, serve: Serve) -> None:
    with serve(court_file, "--sample", "2") as served:
        assert served.request("GET", "/api/session")[1]["total"] == 2
        prompts = [served.request("GET", f"/api/items/{n}")[1]["prompt_id"] for n in (0, 1)]

    assert prompts == ["p2", "p1"]


@pytest.mark.parametrize("path", ["/api/session", "/api/items/0"])
@pytest.mark.parametrize("token", [None, "", "guess", "é"])
def test_without_the_token_nothing_is_told(
    court_file: Path, served: Served, path: str, token: str | None
) -> None:
    status, answer, _ = served.request("GET", path, headers={"X-Review-Token": token})

    assert status == 401
    assert set(answer) == {"problem"}


def test_a_request_from_elsewhere_is_refused(court_file: Path, served: Served) -> None:
    here = f"127.0.0.1:{served.port}"
    elsewhere: list[dict[str, str | None]] = [
        {"Host": "evil.example"},
        {"Host": f"evil.example:{served.port}"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": None},
        {"Host": "[::1"},
        {"Host": here, "Origin": "http://evil.example"},
        {"Host": here, "Origin": "null"},
        {"Host": here, "Origin": "http://127.0.0.1:1"},
    ]
    for headers in elsewhere:
        for method, path in (("GET", "/"), ("GET", "/api/session"), ("POST", "/api/undo")):
            assert served.request(method, path, {}, headers)[0] == 403, (headers, path)
    allowed = {"Host": here, "Origin": f"http://{here}"}
    assert served.request("GET", "/api/session", headers=allowed)[0] == 200
    assert served.request("GET", "/", headers={"Host": "localhost:9"})[0] == 200, "a tunnel"


def test_the_server_listens_on_this_machine_alone(court_file: Path, serve: Serve) -> None:
    with serve(court_file) as served:
        listening = subprocess.run(
            [sys.executable, "-c", _LISTENING, str(served.process.pid)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()

    assert listening == ["127.0.0.1"]


_LISTENING = """
import sys, psutil
for connection in psutil.Process(int(sys.argv[1])).net_connections():
    if connection.status == psutil.CONN_LISTEN: print(connection.laddr.ip)
"""


def test_the_page_may_load_nothing_from_elsewhere(court_file: Path, served: Served) -> None:
    _, page, headers = served.request("GET", "/")

    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "//" not in page.replace("<!doctype", "")
    assert "style=" not in page and "onclick" not in page


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"[" * 60_000, {}, 400),
        (b"\xff", {}, 400),
        (b"{}", {"Content-Type": "text/plain"}, 400),
        (b"x", {"Content-Length": "70000"}, 413),
        (b"x", {"Content-Length": "-1"}, 413),
        (b"x", {"Content-Length": None}, 413),
        (b"{}", {}, 409),
        ({"place": 0, "tuple_id": "other", "verdict": "keep", "note": ""}, {}, 409),
        ({"place": 99, "tuple_id": "x", "verdict": "keep", "note": ""}, {}, 409),
        ({"place": True, "tuple_id": "x", "verdict": "keep", "note": ""}, {}, 409),
        ({"verdict": "perhaps"}, {}, 409),
        ({"verdict": "keep", "marked": [3, 1]}, {}, 409),
        ({"verdict": "keep", "marked": [0, 99]}, {}, 409),
        ({"verdict": "keep", "marked": [-1, 0]}, {}, 409),
        ({"verdict": "keep", "marked": ["0", "1"]}, {}, 409),
        ({"verdict": "reject", "note": "x" * 2001}, {}, 409),
    ],
)
def test_a_request_that_makes_no_sense_changes_nothing(
    court_file: Path, served: Served, body: Any, headers: dict[str, str | None], status: int
) -> None:
    if isinstance(body, dict) and body and "place" not in body:
        name = served.request("GET", "/api/items/0")[1]["id"]
        body = {"place": 0, "tuple_id": name, "note": "", **body}
    answered, answer, _ = served.request("POST", "/api/decisions", body, headers)

    assert (answered, set(answer)) == (status, {"problem"})
    assert served.request("GET", "/api/session")[1]["decided"] == 0
    assert (court_file.parent / "reviews" / "rev1.jsonl").read_bytes() == b""


@pytest.mark.parametrize("path", ["/api/items/3", "/api/items/999999999999999999", "/api/items/²"])
def test_a_tuple_that_is_not_there_is_refused(court_file: Path, served: Served, path: str) -> None:
    quoted = path.encode("utf-8").decode("latin-1")
    assert served.request("GET", quoted if path.isascii() else "/api/items/x")[0] in (404, 409)


@pytest.mark.parametrize("path", ["/../pyproject.toml", "/server.py", "/api", "/%2e%2e/x"])
def test_no_other_file_is_served(court_file: Path, served: Served, path: str) -> None:
    assert served.request("GET", path)[0] == 404


def test_text_of_any_kind_arrives_whole(
    tmp_path: Path, serve: Serve, make_tuple: MakeTuple
) -> None:
    strange = "<script>alert(1)</script> \u202e x \x00 \r\n 👩‍👧 = 5"
    write_records(tmp_path / "t.jsonl", [make_tuple(strange, (len(strange) - 1, len(strange)))])

    with serve(tmp_path / "t.jsonl") as served:
        item = served.request("GET", "/api/items/0")[1]

        assert "".join(text for text, _ in item["pieces"]) == strange
        assert item["prompt"] == ""
        assert any("--prompts" in line for line in served.said)


def test_a_full_disk_is_said_and_nothing_half_is_kept(court_file: Path, serve: Serve) -> None:
    path = court_file.parent / "rev1.jsonl"
    limited = "import resource, signal, runpy, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))\n"
    limited += "runpy.run_module('pipelines.review', run_name='__main__')\n"
    process = subprocess.Popen(
        [sys.executable, "-c", limited, str(court_file), "--port", "0", "--no-browser",
         "--reviewer", "rev1", "--decisions", str(path)],
        stdout=subprocess.PIPE, text=True, env=os.environ.copy(),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = next(line for line in process.stdout if line.startswith("review at ")).split()[2]
        served = Served(address)
        _decide(served, "keep")
        item = served.request("GET", "/api/items/1")[1]
        body = {"place": 1, "tuple_id": item["id"], "verdict": "reject", "note": "n" * 200}
        status, answer, _ = served.request("POST", "/api/decisions", body)

        assert status == 507
        assert answer["problem"].startswith("not saved")
        assert served.request("GET", "/api/session")[1]["decided"] == 1
        assert path.read_bytes().count(b"\n") == 1 and path.read_bytes().endswith(b"\n")
    finally:
        process.kill()
        process.wait(20)


def test_the_token_is_the_users_own(court_file: Path, serve: Serve) -> None:
    with serve(court_file):
        kept = court_file.parent / "reviews" / ".rev1.jsonl.token"

        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_an_interrupt_ends_the_server_quietly(court_file: Path, serve: Serve) -> None:
    with serve(court_file) as served:
        served.process.send_signal(signal.SIGINT)

        assert served.process.wait(20) == 0
        assert served.process.stdout is not None
        assert "0 of 3 decided" in served.process.stdout.read()


def _refusal(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.review", *words, "--no-browser"],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        env=os.environ.copy(),
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_taken_port_is_one_clear_line(court_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert f"--port: {port} cannot be used" in _refusal(str(court_file), "--port", str(port))


def test_a_second_server_for_one_file_is_one_clear_line(court_file: Path, serve: Serve) -> None:
    with serve(court_file):
        assert "another review is writing to it" in _refusal(
            str(court_file), "--port", "0", "--reviewer", "rev1"
        )


def test_decisions_have_the_shape_that_the_library_reads(court_file: Path, serve: Serve) -> None:
    with serve(court_file) as served:
        _decide(served, "skip")

    lines = (court_file.parent / "reviews" / "rev1.jsonl").read_text(encoding="utf-8").splitlines()
    assert [Decision.from_json(json.loads(line)).verdict for line in lines] == ["skip"]
