"""The page around the sections: one file, style and script inside, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.section import Section


def page(title: str, *, headline: Html, sections: Sequence[Section], footer: str) -> str:
    """Return the whole document. Sections without a body are named in a closing list, with what they lack."""
    shown = [section for section in sections if section.body is not None]
    absent = [section for section in sections if section.body is None]
    links = [tag("a", section.title, href=f"#{section.key}") for section in shown]
    parts = [tag("section", tag("h2", section.title), section.body or "", id=section.key) for section in shown]
    if absent:
        items = [tag("li", tag("b", section.title), ": ", section.absent) for section in absent]
        parts.append(tag("section", tag("h2", "Not in this report"), tag("ul", *items), id="absent"))
    body = tag(
        "body",
        tag("header", headline),
        tag("nav", *links, aria_label="Sections") if links else Html(),
        tag("main", *parts),
        tag("footer", paragraph(footer)),
        tag("script", _asset("page.js")),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", _asset("page.css")),
    )
    return join(Html("<!doctype html>\n"), tag("html", head, body, lang="en"), Html("\n"))


def _asset(name: str) -> Html:
    return Html(files("medarch.reporting").joinpath(name).read_text(encoding="utf-8"))
