"""The recipe of images."""

import pytest

from dpm import runs
from dpm.recipes import ImageRecipe, SwissRollRecipe


@pytest.mark.parametrize(
    "settings, match",
    [
        ({"sede": 1}, "DIGITS has no setting 'sede': there are n_test, seed"),
        ({"seed": [1]}, r"seed = \[1\]: give a number or a text"),
    ],
)
def test_recipes_refuse_settings_that_the_data_lack(settings, match):
    with pytest.raises(ValueError, match=match):
        ImageRecipe("DIGITS", data_args=settings)


def test_options_of_a_run_that_would_not_be_used_are_refused(tmp_path):
    recipe = ImageRecipe("DIGITS", batch_size=8, decay_steps=5)
    cases = [
        ({"n_steps": 6}, "n_steps = 6 exceeds decay_steps = 5"),
        ({"n_steps": 0}, "n_steps = 0: it must be at least 1"),
        ({"save_every": 5}, "save_every = 5 is for runs that are kept"),
        ({"ext_every_n": 5}, "ext_every_n = 5 is for runs that are kept"),
        ({"resume": True}, "give the output_dir of the run"),
    ]
    for options, match in cases:
        with pytest.raises(ValueError, match=match):
            runs.train(recipe, progress=False, **options)
    toy = SwissRollRecipe(n_steps=12)
    for options, match in [
        ({"n_steps": 5}, "n_steps = 5 is for images: the recipe says how many, 12"),
        ({"ext_every_n": 5}, "ext_every_n = 5 is for images"),
        ({"plot_before_training": True}, "plot_before_training = True is for images"),
    ]:
        with pytest.raises(ValueError, match=match):
            runs.train(toy, tmp_path / "run", progress=False, **options)
    assert not list(tmp_path.iterdir())
