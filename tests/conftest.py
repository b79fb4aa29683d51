"""Settings that every test, and every notebook run by nbval, inherits."""

import os
import warnings

os.environ["TQDM_DISABLE"] = "1"  # also in the notebooks' kernels: no bars on stderr
os.environ.setdefault("MPLBACKEND", "agg")

with warnings.catch_warnings():
    warnings.simplefilter("error")
    import dpm  # noqa: F401  importing must not warn
