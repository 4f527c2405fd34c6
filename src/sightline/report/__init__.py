"""What a training leaves for people to read. Comes in: Facts; goes out: the text of the page and the card.

Must not know torch, files or how anything was measured; Jinja2 is imported when a page is rendered.
"""

from sightline.report.card import render_card
from sightline.report.facts import ClassRow, Common, Epoch, Example, Facts, UnknownFacts
from sightline.report.page import render_report

__all__ = ["ClassRow", "Common", "Epoch", "Example", "Facts", "UnknownFacts", "render_card", "render_report"]
