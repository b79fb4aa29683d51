"""The Sum of Functions Optimizer, by which the paper trained its models."""

from dpm.sfo.sfo import SFO

__all__ = ["SFO"]
