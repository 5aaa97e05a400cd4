"""Every page in headless Chromium: axe-core finds nothing, nothing is wider than the window, the keyboard reaches all.

`make test-browser` runs these; they need Debian's chromium and chromium-driver.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reporting.browser import Browser, missing
from tests.reporting.real_pages import MAKERS, Pages

pytestmark = pytest.mark.browser
#: Width in CSS pixels, colours.
WINDOWS = [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")]
TAB = "\ue004"
#: Opens what is folded away, so that it is looked at too.
OPEN = """
document.querySelectorAll("details").forEach((d) => { d.open = true; });
document.querySelectorAll(".panel").forEach((p) => { p.style.display = "block"; });
"""
#: What the keyboard stopped at, as tag and text.
STOP = "const e = document.activeElement; return [e.tagName, e.className, e.textContent.slice(0, 40)]"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    return Pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    lacks = missing()
    if lacks:
        pytest.skip(lacks)
    made = Browser()
    yield made
    made.close()


@pytest.mark.parametrize("name", MAKERS)
def test_axe_finds_nothing_and_nothing_is_too_wide(name: str, browser: Browser, pages: Pages) -> None:
    for width, scheme in WINDOWS:
        browser.show(pages.of(name), width, scheme)
        browser.run(OPEN)
        found = {rule["id"]: [node["target"] for node in rule["nodes"]] for rule in browser.violations()}
        assert found == {}, (width, scheme)
        assert browser.run("return document.documentElement.scrollWidth") <= width, scheme
        assert browser.run("return matchMedia('(prefers-color-scheme: dark)').matches") is (scheme == "dark")


def test_axe_is_at_work(browser: Browser, pages: Pages) -> None:
    browser.show(pages.of("spiking"), 1280, "light")
    browser.run("document.documentElement.lang = ''; document.querySelector('h1').style.color = '#eeeeee'")
    assert {"html-has-lang", "color-contrast"} <= {rule["id"] for rule in browser.violations()}


def test_the_keyboard_comes_everywhere(browser: Browser, pages: Pages) -> None:
    browser.show(pages.of("language"), 400, "light")
    browser.press(TAB)
    assert browser.run(STOP)[1] == "skip"
    wanted = browser.run(
        "return [...document.querySelectorAll('summary, .scroll')].filter((e) => e.checkVisibility()"
        " && (e.tagName === 'SUMMARY' || e.scrollWidth > e.clientWidth)).length"
    )
    reached: set[str] = set()
    mark = "const e = document.activeElement; e.dataset.seen ||= String(Math.random()); return e.dataset.seen"
    for _ in range(2000):
        browser.press(TAB)
        if browser.run("return document.activeElement === document.body"):
            break
        if browser.run("const e = document.activeElement; return e.matches('summary, .scroll')"):
            reached.add(browser.run(mark))
    assert len(reached) == wanted > 0


def test_a_key_opens_what_is_folded_and_sorts_a_table(browser: Browser, pages: Pages) -> None:
    browser.show(pages.of("language"), 1280, "light")
    browser.run("document.querySelector('summary').focus()")
    browser.press("\ue007")
    assert browser.run("return document.querySelector('details').open") is True
    browser.run("document.querySelector('#counts th button').focus()")
    browser.press("\ue007")
    assert browser.run("return document.querySelector('#counts th').getAttribute('aria-sort')") == "ascending"
