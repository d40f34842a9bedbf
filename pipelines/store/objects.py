"""The few operations on a file system of fsspec's that the store rests on, and their errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from judge_lightning.errors import UserError
from pipelines.durable import write_bytes

_WORDS = {
    "AccessDenied": ("the credentials may not do this", "ask for the right to read and write"),
    "ExpiredToken": ("the credentials have expired", "renew them"),
    "InvalidAccessKeyId": ("the credentials are not known there", "check AWS_PROFILE and the keys"),
    "InvalidToken": ("the session token is not valid", "renew the credentials"),
    "NoSuchBucket": ("there is no such bucket", "create it, or correct the name"),
    "QuotaExceeded": ("the store is full", "free some space there (`gc`), or ask for more"),
    "Refused": ("the credentials are refused", "renew them, or ask for the right"),
    "SignatureDoesNotMatch": ("the secret key is not the right one", "check AWS_PROFILE"),
    "TokenRefreshRequired": ("the credentials have expired", "renew them"),
}
"""What is wrong and what to do about it, by S3's error code."""
_SAME_AS = {
    "ExpiredTokenException": "ExpiredToken",
    "RequestExpired": "ExpiredToken",
    "AllAccessDisabled": "AccessDenied",
    "400": "Refused",
    "403": "Refused",
    "EntityTooLarge": "QuotaExceeded",
    "InsufficientCapacity": "QuotaExceeded",
    "InsufficientStorage": "QuotaExceeded",
    "StorageFull": "QuotaExceeded",
    "XMinioStorageFull": "QuotaExceeded",
    "XMinioAdminBucketQuotaExceeded": "QuotaExceeded",
    "507": "QuotaExceeded",
}


def open_files(protocol: str) -> Any:
    """The file system behind a URL's protocol, with credentials from the environment alone.

    Raises:
        UserError: The protocol is unknown, or its package is not installed.
    """
    import fsspec

    options: dict[str, Any] = {"use_listings_cache": False}
    if protocol in ("s3", "s3a"):
        patience = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 3}}
        options["config_kwargs"] = patience
    elif protocol in ("file", "local"):
        options["auto_mkdir"] = True
    try:
        return fsspec.filesystem(protocol, **options)
    except ImportError as error:
        s3 = "pip install -e '.[s3]' in the repository"
        raise UserError(
            "artifacts_dir",
            f"the package behind {protocol}:// is not installed ({error})",
            s3 if protocol in ("s3", "s3a") else "install it",
        ) from error
    except ValueError as error:
        raise UserError(
            "artifacts_dir", f"{protocol}:// is not known", "give a folder, or s3://BUCKET/PREFIX"
        ) from error


def read_whole(files: Any, path: str) -> bytes:
    """A small file's bytes. S3 is not asked for its size first: that answer names no error."""
    return bytes(files.cat_file(path, **_in_one_request(files)))


def read_many(files: Any, paths: list[str]) -> dict[str, bytes]:
    """The bytes of small files, read at the same time; those that are gone are left out."""
    if not paths:
        return {}
    found: dict[str, bytes] = files.cat(paths, on_error="return", **_in_one_request(files))
    for content in found.values():
        if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
            raise content
    return {path: content for path, content in found.items() if isinstance(content, bytes)}


def _in_one_request(files: Any) -> dict[str, int]:
    return {"max_concurrency": 1} if "s3" in files.protocol else {}


def names_in(files: Any, folder: str) -> list[str]:
    """The names directly below a folder; none where there is no such folder."""
    try:
        found = files.ls(folder, detail=False)
    except FileNotFoundError as error:
        if error_code(error) == "NoSuchBucket":
            raise
        return []
    return [path.rstrip("/").rpartition("/")[2] for path in found]


def create_exclusively(files: Any, path: str, content: bytes) -> bool:
    """Writes a file that is not there yet; False where it is.

    On S3 this is a conditional write (``If-None-Match``), on a disk ``O_EXCL``.
    """
    try:
        if is_local(files):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            with Path(path).open("xb") as file:
                file.write(content)
        else:
            files.pipe_file(path, content, mode="create")
    except FileExistsError:
        return False
    except OSError as error:
        if error_code(error) in ("ConditionalRequestConflict", "PreconditionFailed"):
            return False
        raise
    return True


def write_whole(files: Any, path: str, content: bytes) -> None:
    """Writes a file so that a reader sees all of it or none."""
    if is_local(files):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(Path(path), content)
    else:
        files.pipe_file(path, content)


def delete_many(files: Any, paths: list[str]) -> None:
    """Deletes files, on S3 a thousand a request; those that are gone are no error."""
    if "s3" in files.protocol:
        if paths:
            files.rm(paths)
        return
    for path in paths:
        with suppress(FileNotFoundError):
            files.rm_file(path)


def is_local(files: Any) -> bool:
    """Whether these are this machine's own files."""
    from fsspec.implementations.local import LocalFileSystem

    return isinstance(files, LocalFileSystem)


def error_code(error: BaseException) -> str:
    """S3's code behind an exception (``NoSuchBucket``); empty where there is none."""
    seen: BaseException | None = error
    while seen is not None:
        response = getattr(seen, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
        seen = seen.__cause__
    return ""


@contextmanager
def reaching(url: str, kept: str = "") -> Iterator[None]:
    """Words what goes wrong on the way to a remote store, in one line that names it.

    Args:
        kept: What is safe all the same, said at the end of the remedy.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        problem, remedy = _wording(error)
        raise UserError("artifacts_dir", f"{url}: {problem}", remedy + kept) from error


def problem_with(url: str, error: Exception) -> str:
    """What went wrong with a store, without what to do about it."""
    return error.problem if isinstance(error, UserError) else f"{url}: {_wording(error)[0]}"


def _wording(error: Exception) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    code = error_code(error)
    name = type(error).__name__
    if known := _WORDS.get(_SAME_AS.get(code, code)):
        words = (f"{known[0]} ({code})", known[1])
    elif name in ("NoCredentialsError", "PartialCredentialsError"):
        words = (
            "no credentials were found",
            "set AWS_PROFILE, or the AWS_ keys",
        )
    elif name == "ProfileNotFound":
        words = ("the AWS profile is not configured", "correct AWS_PROFILE")
    elif "Credential" in name or "SSO" in name or "Token" in name:
        words = (f"the credentials cannot be used ({name})", "renew them (`aws sso login`)")
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        words = ("the store is full", "free some space there (`gc`), or ask for more")
    elif isinstance(error, PermissionError):
        words = ("no permission to read or write there", "ask for it")
    elif "Connect" in name or "Timeout" in name or isinstance(error, ConnectionError):
        words = (f"it cannot be reached ({name})", "check AWS_ENDPOINT_URL and the network")
    else:
        words = (f"{name}: {' '.join(str(error).split())[:200]}", "see what the store says of it")
    return words
