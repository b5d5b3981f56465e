"""The story as a page that needs nothing: no script, no request, one file, to be printed."""

from __future__ import annotations

from django.template.loader import render_to_string

from tracking.evidence.told import Export, Story


def story_html(story: Story) -> str:
    return render_to_string("evidence/story.html", {"story": story, "title": story.object_id})


def index_html(rows: list[tuple[str, Story]], export: Export, origin: str) -> str:
    """The page over several objects; each row is a folder and its story."""
    context = {"rows": rows, "export": export, "origin": origin, "title": "Evidence"}
    return render_to_string("evidence/index.html", {**context, "exported": rows[0][1].exported})
