"""The exercises of *The optimiser: SFO*."""

from dpm.exercises.judge import Choice, Graph, Number


def _parabolas(rng):
    x, slope = rng.standard_normal((2, 5))
    return x, slope, rng.uniform(0.5, 3.0, 5)


EXERCISES = {
    1: Number(
        8 * 1e6 * 300 / 1e9,
        "The basis has one number for each parameter and each dimension. A double "
        "takes 8 bytes.",
        {
            "A double takes 8 bytes.": 1e6 * 300 / 1e9,
            "That is in single precision.": 4 * 1e6 * 300 / 1e9,
            "That is a full matrix of curvatures.": 8 * 1e12 / 1e9,
        },
        rtol=0.08,
    ),
    2: Graph(
        right=lambda x, slope, h: ((h * x).sum() - slope.sum()) / h.sum(),
        inputs=_parabolas,
        hint="Write down the slope of the sum of all parabolas at theta. Where is it "
        "zero?",
        mistakes={
            "That is the mean of the single minima. A steep parabola counts more.": (
                lambda x, slope, h: (x - slope / h).mean()
            ),
            "A positive slope says that the minimum lies to the left.": (
                lambda x, slope, h: ((h * x).sum() + slope.sum()) / h.sum()
            ),
            "That is one step of Newton's method from the mean of the places.": (
                lambda x, slope, h: x.mean() - slope.sum() / h.sum()
            ),
        },
    ),
    3: Choice(
        "c",
        {
            "a": "A mean of gradients would tend there. Does SFO take a mean?",
            "b": "What are the differences of gradients made of, when steps are short?",
        },
    ),
    4: Choice(
        "b",
        {
            "a": "Compare its curvatures with the true ones, after six passes.",
            "c": "The error falls from pass to pass. What would chance do?",
        },
    ),
}
