"""The system's own Chromium, for pages that are tested where people read them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium is installed (CHROMIUM=PATH names one)"
)
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser; tests that ask for it are skipped where playwright is not installed."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (it is among the dev extras)"
    )
    with api.sync_playwright() as running:
        # Inside a container Chromium's own sandbox cannot start; the pages are our own.
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class OpenPage:
    """A page of charts that were all drawn, and what went wrong on it."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements that match."""
        return [text.strip() for text in self.page.locator(selector).all_inner_texts()]


@contextmanager
def opened(browser: Any, file: Path, viewport: dict[str, int]) -> Iterator[OpenPage]:
    """Opens a file and waits until its charts are drawn."""
    context = browser.new_context(viewport=viewport)
    context.set_default_timeout(30_000)
    found = OpenPage(context.new_page())
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on("console", lambda said: found.complaints.append(said.text))
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.goto(file.as_uri())
    found.page.wait_for_function(
        "[...document.querySelectorAll('figure.chart')].every((chart) => chart.dataset.drawn)"
    )
    yield found
    context.close()
