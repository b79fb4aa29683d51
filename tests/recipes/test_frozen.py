"""Costs of minibatches with frozen draws."""

import pytest


def test_a_model_is_trained_through_frozen_noise():
    from dpm.recipes import SwissRollRecipe
    from dpm.recipes.frozen import FrozenCosts

    recipe = SwissRollRecipe(trajectory_length=20, n_hidden=8, n_steps=1)
    X = recipe.load_data().X_train[:600]
    costs = FrozenCosts(recipe, X, n_minibatches=6, n_draws=2)
    first = costs(costs.theta_init, costs.minibatches[1])[0]
    assert costs(costs.theta_init, costs.minibatches[1])[0] == first  # frozen
    assert costs(costs.theta_init, costs.minibatch(1, freeze=1))[0] != first
    optimizer = costs.optimizer()
    optimizer.check_grad(indices=[0, 5])

    def fresh(theta):
        return sum(costs(theta, costs.minibatch(i, freeze=9))[0] for i in range(6))

    theta = optimizer.optimize(15)
    assert fresh(theta) < fresh(costs.theta_init) - 0.5
    costs.refreeze(optimizer, 1)
    again = optimizer.optimize(5)
    assert fresh(again) < fresh(costs.theta_init) - 0.5
    assert set(again) == set(costs.model.parameters)
    with pytest.raises(ValueError, match="n_minibatches = 601 exceeds"):
        FrozenCosts(recipe, X, 601)
