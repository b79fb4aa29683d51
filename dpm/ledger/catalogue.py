"""All chapters with numbered equations: a new one is a line here."""

import re

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

SYMBOLS = re.compile(  # in sentences about checks: what is not a word
    r"\(T-t\)/T|q/q|1 - Sigma|L - K|g Sigma g|t = 2|x\^1\.\.x\^\(T-1\)"
    r"|\b[pqr]\(x\^\w\)|x\^(?:\([^)]*\)|\w)"
    r"|\b(?:E_r|mu|pi|Sigma|beta|[KLTrqpzjgt])\b(?!_)"
)


def typeset(words: str) -> str:
    """A sentence about a check, with its symbols set as mathematics."""

    def formula(found):
        text = re.sub(r"x\^(?:\(([^)]*)\)|(\w))", r"\\mathbf x^{(\1\2)}", found[0])
        text = re.sub(r"(mu|pi|Sigma|beta)\b", r"\\\1", text)
        return "$" + text.replace("..", r", \dots, ") + "$"

    return SYMBOLS.sub(formula, words)


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
                f"*Check:* {typeset(entry.compares)}"
            )
    if not blocks:
        raise ValueError(f"no equation of the ledger stands in a chapter {chapter!r}")
    return "\n\n".join(blocks)
