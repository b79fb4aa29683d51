"""All data sets by name: what makes or reads each, and whether it is at hand.

A new one is a function in a file of its own, and a line here.
"""

from collections.abc import Callable
from typing import NamedTuple

from dpm.blocks.checks import check_choice
from dpm.blocks.settings import check_settings, declared
from dpm.datasets.dataset import Dataset, scaled
from dpm.datasets.leaves import load_dead_leaves
from dpm.datasets.own_pictures import load_images
from dpm.datasets.pictures import Pictures
from dpm.datasets.standard import (
    cifar10_at_hand,
    load_cifar10,
    load_digits,
    load_mnist,
    mnist_at_hand,
)
from dpm.datasets.textures import (
    bark_at_hand,
    load_bark,
    load_bark4,
    load_texture,
    texture_at_hand,
)
from dpm.datasets.toys import heartbeat, swiss_roll


def always() -> bool:
    """Of data that are drawn, or that a package brings along."""
    return True


def never() -> bool:
    """Of data of which only their owner knows where they are."""
    return False


class Source(NamedTuple):
    """Where a data set comes from.

    Attributes
    ----------
    load : callable
        Its keyword arguments are the settings of the data set. Gives `Pictures`, or, of
        data that are no images, a `Dataset`.
    at_hand : callable
        Whether the data can be had without a download.
    images : bool
    """

    load: Callable
    at_hand: Callable = always
    images: bool = True


SOURCES = {
    "SWISS_ROLL": Source(swiss_roll, images=False),
    "HEARTBEAT": Source(heartbeat, images=False),
    "MNIST": Source(load_mnist, mnist_at_hand),
    "CIFAR10": Source(load_cifar10, cifar10_at_hand),
    "DIGITS": Source(load_digits),
    "DEAD_LEAVES": Source(load_dead_leaves),
    "BARK": Source(load_bark, bark_at_hand),
    "BARK4": Source(load_bark4),
    "TEXTURE": Source(load_texture, texture_at_hand),
    "IMAGES": Source(load_images, never),
}


def image_sets() -> list[str]:
    """Names of the sets of images."""
    return [name for name, source in SOURCES.items() if source.images]


def at_hand(name: str) -> bool:
    """Whether a data set can be had without downloading anything."""
    return SOURCES[check_choice(name, sorted(SOURCES), "dataset")].at_hand()


def digits_at_hand() -> str:
    """The set of handwritten digits for those who must not download: a name."""
    return "MNIST" if at_hand("MNIST") else "DIGITS"


def settings_of(name: str) -> dict:
    """What each setting of a data set may be, by name: see `dpm.blocks.settings`."""
    return declared(SOURCES[check_choice(name, sorted(SOURCES), "dataset")].load)


def check_data_args(name: str, settings: dict) -> None:
    """Raise ValueError unless a data set takes all these settings, by name."""
    known = settings_of(name)
    for setting in settings:
        if setting not in known:
            raise ValueError(
                f"{name} has no setting {setting!r}: there are "
                f"{', '.join(known) or 'none'}"
            )
    check_settings(settings, known)


def load(name: str, **settings) -> Dataset:
    """Make or read a data set by name.

    Raises
    ------
    ValueError
        If there is none of that name, or it has no such setting, the message then
        lists those there are; or if a setting is not what it may be.
    """
    check_data_args(name, settings)
    made = SOURCES[name].load(**settings)
    return scaled(name, Pictures(*made)) if SOURCES[name].images else made
