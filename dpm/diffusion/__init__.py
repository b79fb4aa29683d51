"""The paper: rates, kernels, bound, the factors of Section 2.5, toy networks."""
