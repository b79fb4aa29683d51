"""One of two processes that train and score small models together.

    python one_of_two.py PORT NUMBER FOLDER

What it finds goes to FOLDER/NUMBER.npz. Then it trains on, with a checkpoint in FOLDER
after every few steps, until it is killed.
"""

import sys
from pathlib import Path

import numpy as np

from dpm import sampler
from dpm.blocks import checkpoint, devices, parts, processes
from dpm.blocks.extensions import Checkpoint
from dpm.evaluation import bound_all_t, likelihood, parzen
from dpm.recipes import ImageRecipe, SwissRollRecipe

N_STEPS = 50
DATA = {
    "images": np.random.default_rng(0).standard_normal((24, 32)),
    "roll": np.random.default_rng(1).standard_normal((64, 2)),
}
RECIPES = {
    "images": ImageRecipe(
        batch_size=8,
        learning_rate=1e-2,
        t_per_image=True,
        dtype="float64",
        model_args={
            "spatial_width": 4, "n_colors": 2, "trajectory_length": 5,
            "n_temporal_basis": 3, "n_hidden_conv": 3, "n_layers_conv": 1,
            "n_hidden_dense_lower": 4, "n_layers_dense_lower": 1,
            "n_hidden_dense_upper": 4, "n_layers_dense_upper": 1,
            "uniform_noise": 0.1,
        },
    ),
    "roll": SwissRollRecipe(
        trajectory_length=5, n_hidden=3, batch_size=8, schedule="baseline"
    ),
}  # fmt: skip
TWO_IMAGES = 2 * 8 * 3 * 16  # bytes of a layer: parts of two go one after another


def trained(kind: str):
    """The main loop of a short run, at its end, and costs and parameters by name."""
    loop = RECIPES[kind].main_loop(DATA[kind])
    loop.extensions.clear()
    devices.place(loop.algorithm)
    for _ in range(N_STEPS):
        loop.take_step()
    values = loop.model.get_parameter_values()
    found = {f"{kind} {path}": value for path, value in values.items()}
    return loop, {f"{kind} costs": loop.costs, **found}


def scores(model) -> dict:
    """What is estimated of a model of images, by name; two share no odd number."""
    X = DATA["images"]
    K, KL = bound_all_t(model, X[:7])
    samples = sampler.sample(model, 5, 0)
    return {
        "K": K,
        "KL": KL,
        "log p": likelihood.log_likelihood(model, X[:3], 3).log_p,
        "samples": samples,
        "Parzen": parzen.log_density(X, samples.reshape(5, -1), [0.3, 1.0]),
    }


def refused(call) -> str:
    """What a call that must fail says."""
    try:
        call()
    except ValueError as error:
        return str(error)
    return "nothing"


def made(folder: Path) -> Path:
    """A new folder."""
    folder.mkdir(parents=True)
    return folder


@processes.in_company
def main(argv) -> int:
    """What one process does."""
    port, number, folder = int(argv[0]), int(argv[1]), Path(argv[2])
    processes.join(f"127.0.0.1:{port}", 2, number)
    devices.use()
    parts.PART_BYTES, parzen.BLOCK, processes.SEEN_WITHIN = TWO_IMAGES, 5, 0.5
    loop, found = trained("images")
    found |= scores(loop.model)
    seeds = {"T": 5, "seed": number}
    found["other seeds"] = refused(lambda: processes.check_agreement(lambda: seeds))
    own = folder / str(number)
    found["other folders"] = refused(
        lambda: processes.made_by_writer(lambda: made(own / "run"), own)
    )
    loop, more = trained("roll")
    np.savez(folder / f"{number}.npz", **found, **more)
    meta = {"recipe": {"dataset": "SWISS_ROLL"}, "number": number}
    loop.extensions = [Checkpoint(folder / checkpoint.FILE_NAME, meta, 3)]
    loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
