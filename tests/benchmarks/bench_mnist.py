"""The default MNIST model against a PyTorch twin, both in this process.

    python tests/benchmarks/bench_mnist.py

Measures a training step of 512 images in single precision (draws, forward, backward and
RMSProp), and sampling 100 images over all T = 1000 steps. Both sides hold the same
parameters, see the same draws and find the same cost. They are timed in turns and the
ratios of medians are printed; times alone say little, because machines differ. Without
torch (it is not among the requirements: ``pip install torch``) only our own times are
printed. Then how long a fresh process takes to its first step, cold, on random images.
"""

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from dpm import sampler
from dpm.blocks.backend import numbers
from dpm.recipes import ImageRecipe

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    torch = None

BATCH, WIDTH, N_SAMPLES = 512, 28, 100


def our_loop():
    """The default run, on random images instead of digits."""
    X = np.random.default_rng(0).standard_normal((2 * BATCH, WIDTH**2), dtype="float32")
    args = {"spatial_width": WIDTH, "n_colors": 1, "uniform_noise": 0.0127}
    return ImageRecipe(model_args=args).main_loop(X)


class Twin:
    """The same model in PyTorch, eager.

    Parameters
    ----------
    model : DiffusionModel
        Whose parameters are copied.
    channels_last : bool
        Memory order of the convolutions' images.
    """

    def __init__(self, model, channels_last):
        values = model.get_parameter_values()
        self.p = {
            k.split("/", 2)[-1].replace("MLP dense ", ""): torch.tensor(v)
            for k, v in values.items()
        }
        for k, v in self.p.items():
            if v.ndim == 4:
                self.p[k] = v.flip(2, 3).contiguous()  # torch slides filters unflipped
            self.p[k].requires_grad_(True)
        self.square = {k: torch.zeros_like(v) for k, v in self.p.items()}
        self.channels_last = channels_last
        self.T = model.trajectory_length
        self.noise_width = model.uniform_noise
        self.basis = torch.tensor(model.temporal_basis, dtype=torch.float32)
        self.beta = torch.tensor(numbers(model.beta_arr))
        self.total = torch.tensor(numbers(model.beta_cumulative))

    def get_mu_sigma(self, x, t):
        conv = (
            "multilayerconvolution/multiscaleconvolution/layer{}_scale0/convolutional."
        )
        y = x.to(memory_format=torch.channels_last) if self.channels_last else x
        for i in range(4):
            b = self.p[conv.format(i) + "b"][:, 1:-1, 1:-1]
            y = F.conv2d(y, self.p[conv.format(i) + "W"], padding=1) + b
            y = F.leaky_relu(y, 0.05)
        z = x.reshape(len(x), -1)
        for i in range(4):
            z = z @ self.p[f"lower/linear_{i}.W"] + self.p[f"lower/linear_{i}.b"]
            z = F.leaky_relu(z, 0.05)
        z = z.reshape(len(x), WIDTH, WIDTH, 2)
        y = torch.cat([y.permute(0, 2, 3, 1) / 20**0.5, z / 2**0.5], 3)
        y = y @ self.p["upper/linear_0.W"] + self.p["upper/linear_0.b"]
        y = F.leaky_relu(y, 0.05)
        g = self.basis[:, t]
        W = self.p["upper/linear_1.W"].reshape(20, 2, 10) @ g  # folded, as ours is
        y = y @ W + self.p["upper/linear_1.b"].reshape(2, 10) @ g
        y = y.permute(0, 3, 1, 2)
        beta = self.beta[t]
        mu = x * (1 - beta).sqrt() + y[:, :1] * beta.sqrt()
        return mu, torch.sigmoid(y[:, 1:] / self.T**0.5 + torch.logit(beta)).sqrt()

    def cost(self, X, noise, uniform, t):
        b, c, before = self.beta[t], self.total[t], self.total[t - 1]
        X = X.reshape(noise.shape) + (uniform - 0.5) * self.noise_width
        x = X * (1 - c).sqrt() + noise * c.sqrt()
        mean = ((1 - before).sqrt() * b * X + (1 - b).sqrt() * before * x) / c
        variance = b * before / c
        mu, sigma = self.get_mu_sigma(x, t)
        kl = sigma.log() - variance.log() / 2 - 0.5
        kl = kl + (variance + (mean - mu) ** 2) / (2 * sigma**2)
        ends = 0.5 * (self.beta[0].log() - self.total[-1].log())
        return (self.T * kl.mean() + ends) / np.log(2)

    def step(self, *batch):
        cost = self.cost(*batch)
        gradients = torch.autograd.grad(cost, list(self.p.values()))
        with torch.no_grad():
            for (k, p), g in zip(self.p.items(), gradients, strict=True):
                if not torch.isfinite(g.sum()):
                    continue
                square = self.square[k].mul_(0.9).addcmul_(g, g, value=0.1)
                p.sub_(1e-3 * g / square.sqrt().clamp(min=1e-10))
        return float(cost)


def in_turns(sides, repeats):
    """Median seconds of each side, timed one after the other, again and again."""
    times = {name: [] for name in sides}
    for _ in range(repeats):
        for name, call in sides.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: float(np.median(t)) for name, t in times.items()}


def report(what, median, unit="s"):
    for name, seconds in median.items():
        ratio = median["dpm"] / seconds
        print(
            f"{what}: {name:22} {seconds:7.3f} {unit}  dpm takes {ratio:.2f} times it"
        )


def training(loop, repeats):
    step_0 = loop.data_stream.get_data(0)
    sides = {
        "dpm": lambda: loop.algorithm.process_batch(
            loop.data_stream.batch(0), *loop.data_stream.draws(0)
        )
    }
    if torch is not None:
        X, noise, uniform, t = (torch.tensor(a) for a in step_0)
        t = int(t)
        costs = []
        for name, last in (("torch", False), ("torch channels-last", True)):
            twin = Twin(loop.model, last)
            costs.append(twin.step(X, noise, uniform, t))
            sides[name] = lambda twin=twin: twin.step(X, noise, uniform, t)
    ours = sides["dpm"]()
    if torch is not None:
        print("same cost:", ours, *costs)
        assert all(abs(ours - c) < 1e-3 * abs(ours) + 1e-4 for c in costs)
    report("training step of 512", in_turns(sides, repeats))


def sampling(loop, repeats):
    model = loop.model
    kernel = sampler.compile_get_mu_sigma(model, N_SAMPLES)

    def ours():
        rng = np.random.default_rng(0)
        sampler.sample(model, N_SAMPLES, rng, progress=False, get_mu_sigma=kernel)

    sides = {"dpm": ours}
    if torch is not None:
        for name, last in (("torch", False), ("torch channels-last", True)):
            twin = Twin(model, last)

            @torch.no_grad()
            def theirs(twin=twin):
                x = torch.randn(N_SAMPLES, 1, WIDTH, WIDTH)
                for t in range(twin.T - 1, 0, -1):
                    mu, sigma = twin.get_mu_sigma(x, t)
                    x = mu + sigma * torch.randn(x.shape)

            sides[name] = theirs
    kernel(np.zeros((N_SAMPLES, *model.sample_shape)), 1)
    median = in_turns(sides, repeats)
    report("sampling 100 images  ", median)
    for name, seconds in median.items():
        print(f"    {name}: {N_SAMPLES / seconds:.1f} images per second")


def first_step():
    """A fresh process with empty caches, from start to the end of its first step."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "mnist"
        data.mkdir()
        for name, n in (("train", 60_000), ("t10k", 10_000)):
            head = b"".join(k.to_bytes(4, "big") for k in (0x803, n, WIDTH, WIDTH))
            pixels = rng.integers(0, 256, size=n * WIDTH**2, dtype=np.uint8)
            path = data / f"{name}-images-idx3-ubyte.gz"
            path.write_bytes(gzip.compress(head + pixels.tobytes(), compresslevel=1))
        flags = f"base_compiledir={folder}/compiled"
        env = {**os.environ, "DPM_DATA": folder, "PYTENSOR_FLAGS": flags}
        command = [sys.executable, "-m", "dpm.train", "--n-steps", "1"]
        start = time.perf_counter()
        subprocess.run(
            [*command, "--output-dir", folder, "--ext-every-n", "0"],
            env=env, check=True, capture_output=True,
        )  # fmt: skip
        print(f"process start to the end of a run of one step: "
              f"{time.perf_counter() - start:.1f} s")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    if torch is None:
        print("torch is not installed: only dpm is measured")
    loop = our_loop()
    training(loop, repeats)
    sampling(loop, max(1, repeats // 4))
    first_step()


if __name__ == "__main__":
    main()
