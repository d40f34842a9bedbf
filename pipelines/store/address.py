"""Where a store is: a folder, or a URL of any file system that fsspec knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from judge_lightning.errors import UserError
from judge_lightning.store_folder import is_url
from pipelines.store.objects import open_files, reaching

__all__ = ["Address", "is_url"]


@dataclass(frozen=True)
class Address:
    """A remote store: ``url`` as the user wrote it, without a slash at its end."""

    url: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Checks a URL such as ``s3://bucket/prefix``.

        Raises:
            UserError: It holds credentials, or is no plain address.
        """
        protocol, _, rest = text.partition("://")
        # A secret may hold slashes, so that it is not only looked for before the first one.
        if "@" in rest:
            raise UserError(
                "artifacts_dir",
                f"the URL of {protocol}:// holds credentials",
                "leave them out: they come from the environment (AWS_PROFILE, ...)",
            )
        if "::" in text or "?" in text or "#" in text or not rest.strip("/"):
            raise UserError(
                "artifacts_dir",
                f"{protocol}:// is followed by no plain address",
                "write it as s3://BUCKET/PREFIX",
            )
        return cls(text.rstrip("/"))

    def open(self) -> tuple[Any, str]:
        """The file system, and the store's folder in it.

        Raises:
            UserError: The protocol or its package is missing, or what it finds in the environment
                cannot be used.
        """
        protocol = self.url.partition("://")[0]
        with reaching(self.url):
            files = open_files(protocol)
            return files, str(files._strip_protocol(self.url)).rstrip("/")
