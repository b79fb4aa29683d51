"""Settings that every test, and every notebook run by nbval, inherits."""

import os
import warnings

import matplotlib

os.environ["TQDM_DISABLE"] = "1"  # also in the notebooks' kernels: no bars on stderr
matplotlib.use("agg")  # only here: the kernels must show their figures

with warnings.catch_warnings():
    warnings.simplefilter("error")
    import dpm  # noqa: F401  importing must not warn
