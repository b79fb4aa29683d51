"""The equation ledger: see `dpm.ledger.entries`."""

from dpm.ledger.entries import Entry, agree, equation, holds, value

from dpm.ledger.catalogue import as_markdown, ledger  # isort: skip

__all__ = ["Entry", "agree", "as_markdown", "equation", "holds", "ledger", "value"]
