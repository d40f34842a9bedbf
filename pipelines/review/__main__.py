"""The review command line.

    python -m pipelines.review RUN                       serve the review page
    python -m pipelines.review export RUN --out FILE     tuples with their decisions
    python -m pipelines.review import FILE --out FILE    decisions from another program
    python -m pipelines.review merge FILE FILE           agreement, and one file of all

RUN is a run's output folder (outputs/latest), an annotate artifact, or a file of labelled tuples.
"""

from __future__ import annotations

import argparse
import getpass
import re
import secrets
import sys
import webbrowser
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from judge_lightning.court.review import Decision, DecisionsFile, ReviewItem, read_reviews
from judge_lightning.court.review.adjudication import DISPUTED, adjudicate, by_tuple
from judge_lightning.court.review.decisions import reviewer_problem
from judge_lightning.errors import UserError
from pipelines.review.commands import (
    FORMATS,
    JSON_LINES,
    export_decisions,
    import_decisions,
    merge_decisions,
)
from pipelines.review.court import find_court, read_items
from pipelines.review.server import ReviewServer
from pipelines.review.session import ReviewSession
from pipelines.terminal import open_console

DEFAULT_PORT = 8377
_COMMANDS = ("export", "import", "merge")
_TOKEN = re.compile(r"[\w-]{20,}", re.ASCII)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0 well, 2 the user's mistake."""
    arguments = sys.argv[1:] if arguments is None else arguments
    has_command = bool(arguments) and arguments[0] in (*_COMMANDS, "-h", "--help")
    options = _parser().parse_args(arguments if has_command else ["serve", *arguments])
    console = open_console()
    try:
        status: int = options.command(options, console)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return status


def serve(options: argparse.Namespace, console: Console) -> int:
    """Serves the page until it is interrupted."""
    reviewer = options.reviewer
    if problem := reviewer_problem(reviewer):
        raise UserError("--reviewer", f"{reviewer!r} {problem}", "give a plain name")
    place = find_court(options.run, options.artifacts_dir, options.prompts)
    path: Path = options.decisions or place.reviews / f"{reviewer}.jsonl"
    others = read_reviews(options.others)
    with console.status(f"reading the tuples of {place.name}"):
        items = read_items(place, None if options.disputed else options.sample)
    if options.disputed:
        items = _disputed(items, others, options)[: options.sample]
    lock = _lock(path)
    try:
        with DecisionsFile(path) as file:
            session = ReviewSession(place.name, items, reviewer, file, others)
            with ReviewServer(session, options.port, _token(path)) as server:
                print(f"{len(items)} tuples of {place.name}, decisions go to {path}")
                if file.was_torn:
                    print(f"{path}: its last line was cut short and held no decision; removed")
                if place.prompts is None:
                    print("the prompts' texts are not beside the tuples: --prompts FILE shows them")
                try:
                    print(f"review at {server.address} (stop with Ctrl-C)", flush=True)
                    if not options.no_browser:
                        webbrowser.open(server.address)
                    server.serve_forever(poll_interval=0.2)
                except KeyboardInterrupt:
                    decided = session.overview()["decided"]
                    print(f"\n{decided} of {len(items)} decided, in {path}")
    finally:
        lock.release()
    return 0


def _disputed(
    items: list[ReviewItem], others: list[Decision], options: argparse.Namespace
) -> list[ReviewItem]:
    about = by_tuple(others)
    disputed = {name for name, made in about.items() if adjudicate(made).kind == DISPUTED}
    chosen = [item for item in items if item.id in disputed]
    if not chosen:
        raise UserError(
            "--disputed",
            f"the {len(options.others)} files of --with disagree about no tuple of this run",
            "give at least two reviewers' files, or leave --disputed out",
        )
    return chosen


def _lock(path: Path) -> FileLock:
    """Keeps a second server from writing to the same file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(
            str(path), "another review is writing to it", "go on there, or give another --reviewer"
        ) from error
    except OSError as error:
        raise UserError(
            str(path), f"cannot be written ({error.strerror})", "give another: --decisions FILE"
        ) from error
    return lock


def _token(path: Path) -> str:
    """A random token, the same for every review of this file, so that an address stays good."""
    kept = path.with_name(f".{path.name}.token")
    try:
        token = kept.read_text(encoding="ascii") if kept.exists() else ""
        if not _TOKEN.fullmatch(token):
            token = secrets.token_urlsafe(18)
            kept.unlink(missing_ok=True)
            kept.touch(mode=0o600)
            kept.write_text(token, encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(str(kept), f"cannot be used ({error})", "delete it") from error
    return token


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.review",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    court = argparse.ArgumentParser(add_help=False)
    court.add_argument("run", type=Path, metavar="RUN")
    court.add_argument(
        "--artifacts-dir", type=Path, metavar="DIR", help="the store, if it has moved"
    )
    court.add_argument("--prompts", type=Path, metavar="FILE", help="the prompts' texts")
    court.add_argument("--sample", type=_count, metavar="N", help="only the N most doubtful tuples")

    page = commands.add_parser("serve", parents=[court], help="serve the page (the default)")
    page.set_defaults(command=serve)
    page.add_argument("--reviewer", default=_user(), metavar="NAME", help="default: %(default)s")
    page.add_argument("--port", type=int, default=DEFAULT_PORT, help="default: %(default)s")
    page.add_argument(
        "--decisions", type=Path, metavar="FILE", help="default: reviews/NAME.jsonl in the run"
    )
    page.add_argument(
        "--with",
        dest="others",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="another reviewer's decisions, to see the agreement",
    )
    page.add_argument(
        "--disputed", action="store_true", help="only tuples on which the files of --with disagree"
    )
    page.add_argument("--no-browser", action="store_true", help="only print the address")

    export = commands.add_parser("export", parents=[court], help="write tuples and decisions")
    export.set_defaults(command=export_decisions)
    export.add_argument("--format", choices=FORMATS, default=JSON_LINES)
    export.add_argument("--out", type=Path, required=True, metavar="FILE")
    export.add_argument(
        "--decisions",
        type=Path,
        action="append",
        metavar="FILE",
        help="default: all in the run's reviews folder",
    )
    export.add_argument("--only-decided", action="store_true", help="leave the others out")

    bring = commands.add_parser("import", help="read decisions from another program's file")
    bring.set_defaults(command=import_decisions)
    bring.add_argument("file", type=Path, metavar="FILE")
    bring.add_argument("--format", choices=FORMATS, default=JSON_LINES)
    bring.add_argument("--out", type=Path, required=True, metavar="FILE")
    bring.add_argument("--reviewer", metavar="NAME", help="whose they are, if not said inside")

    merge = commands.add_parser("merge", help="agreement of several files, and one file of all")
    merge.set_defaults(command=merge_decisions)
    merge.add_argument("files", type=Path, nargs="+", metavar="FILE")
    merge.add_argument("--out", type=Path, metavar="FILE")
    merge.add_argument("--adjudicator", metavar="NAME", help="whose decision settles a tuple")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _user() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        name = "reviewer"
    return name if reviewer_problem(name) is None else "reviewer"


if __name__ == "__main__":
    sys.exit(main())
