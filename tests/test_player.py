"""The player asks nothing of the network, and is made alike twice."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from dpm import player, viz


def points(t):
    return np.full((2, 2), 0.1 * t)


def pictures(t):
    return np.full((4, 1, 8, 8), 0.1 * t)


@pytest.mark.parametrize(
    ("slider", "state"), [(viz.slider, points), (viz.picture_slider, pictures)]
)
def test_the_player_needs_no_network_and_is_the_same_each_time(slider, state):
    states = {t: state(t) for t in (0, 5)}
    first, second = (slider(states, "a roll") for _ in range(2))
    assert first == second
    assert "font-awesome" not in first and 'class="fa ' not in first
    assert not re.search(r"[0-9a-f]{32}", re.sub(r'"data:[^"]*"', "", first))
    assert 'aria-label="a roll"' in first and '<img alt="a roll" ' in first


def test_frames_show_each_pixel_as_two_by_two():
    states = {0: np.zeros((4, 1, 8, 8)), 5: np.full((4, 1, 8, 8), 2.0)}
    states[5][1, 0, 0, 3] = 1.5
    html = viz.picture_slider(states, "squares", limits=(1.0, 2.0))
    frames = re.findall(r'frames\[\d\] = "data:image/png;base64,([^"]*)"', html)
    black, white = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(frame))).convert("L"))
        for frame in frames
    )
    assert black.shape == white.shape == (24 + 2 * 17, 2 * 17)  # a line between them
    assert (black[24:40, :16] == 0).all() and (white[24:40, :16] == 255).all()
    assert (black[40:42] == 255).all()
    grey = white[24:26, 2 * (9 + 3) : 2 * (9 + 4)]
    assert abs(grey.astype(int) - 128).max() < 3
    assert (white[24:] != 255).sum() == 4


def test_a_picture_that_changes_with_a_number():
    seen = []

    def draw(ax, value):
        assert not ax.lines, "each frame starts on empty axes"
        ax.plot([0, 1], [0, value])
        seen.append(value)

    html = player.over((1.0, 2.0, 4.0), draw, "a line")
    frames = re.findall(r'frames\[\d\] = "data:image/png;base64,([^"]*)"', html)
    assert set(seen) == {1.0, 2.0, 4.0} and len(set(frames)) == 3
    assert 'aria-label="a line"' in html


def test_two_players_share_a_page():
    """Each has ids of its own; with the same, both would show the second's frames."""
    states = {t: points(t) for t in (0, 5)}
    ids = [set(re.findall(r'id="([^"]+)"', viz.slider(states, x))) for x in ("a", "b")]
    assert ids[0] and not ids[0] & ids[1]
