"""All chapters with numbered equations: a new one is a line here."""

from dpm.ledger import (
    appendix_b,
    architecture,
    entropy,
    perturbed,
    posteriors,
    probability,
    training,
    trajectories,
)
from dpm.ledger.entries import Entry, entered

CHAPTERS = (  # each enters its equations when it is loaded
    trajectories,
    probability,
    training,
    appendix_b,
    posteriors,
    entropy,
    perturbed,
    architecture,
)


def ledger() -> dict[int, Entry]:
    """All entries by number, in order."""
    return entered()


def as_markdown(chapter: str) -> str:
    """The entries of a chapter as text that Jupyter and the book can render."""
    blocks = []
    for entry in ledger().values():
        if entry.chapter == chapter:
            names = ", ".join(f"`{name}`" for name in entry.functions)
            blocks.append(
                f"**Eq. {entry.number}** in {names}\n\n$$\n{entry.latex}\n$$\n\n"
                f"*Check:* {entry.compares}"
            )
    if not blocks:
        raise ValueError(f"no equation of the ledger stands in a chapter {chapter!r}")
    return "\n\n".join(blocks)
