"""The record that `dpm.sfo.sfo.SFO` keeps of what it did, to be plotted."""

from dataclasses import dataclass, field

import numpy as np

BAD, NOT_FINITE, NEW = "bad step", "not finite", "new"


@dataclass
class History:
    """What an optimisation has seen, one entry per evaluation of a subfunction.

    Attributes
    ----------
    subfunction : list of int
    value : list of float
        What it was.
    objective : list of float
        F at the best position then known, as the models estimate it: N times their
        mean. The true F is never computed.
    n_active, subspace : list of int
        Subfunctions in play; dimensions of the subspace.
    step : list of float
        Length of the step to where it was evaluated.
    event : list of str
        "bad step" or "not finite" where that point was given up; "new" where the
        subfunction was measured for the first time; else "".
    """

    subfunction: list = field(default_factory=list)
    value: list = field(default_factory=list)
    objective: list = field(default_factory=list)
    n_active: list = field(default_factory=list)
    subspace: list = field(default_factory=list)
    step: list = field(default_factory=list)
    event: list = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.value)

    def arrays(self) -> dict:
        """All of it as arrays, by name."""
        return {name: np.array(values) for name, values in vars(self).items()}

    def given_up(self) -> list[str]:
        """In words, which evaluations were given up, and whose they were."""
        return [
            f"evaluation {k}: {event} at subfunction {self.subfunction[k]}"
            for k, event in enumerate(self.event)
            if event in (BAD, NOT_FINITE)
        ]
