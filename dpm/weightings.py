"""What the divergences of a batch at its times count in the cost: all alike, or not.

Each takes the model, the times t, and their divergences as `DiffusionModel
.compare_steps` gives them, and returns (batch,).
"""

import pytensor

FAINT = 0.02  # share of the variance, below which weighting "picture" counts less
DOUBT = 0.01  # of the variance's gradient, that weighting "apart" lets through


def alike(model, t, KL):
    """All terms of the bound count one."""
    return KL() * 1.0  # which keeps the last bit of runs from before there were others


def by_picture(model, t, KL):
    """Every step asks for the picture with the same accuracy."""
    return KL() * picture_weights(model, t)


def between(model, t, KL):
    """Half of the way from "bound" to "picture": the root of those weights.

    The fine steps decide the bound, the noisy ones what a sample is a picture of; the
    layers that both share then learn either.
    """
    return KL() * picture_weights(model, t, 0.5)


def apart(model, t, KL):
    """What the network says of the mean learns by the picture, of the variance by K.

    Each takes the other as it is, as of Nichol and Dhariwal (2021) the variance takes
    the mean. The layers that both share get the sum of the two gradients, that of the
    variance times `DOUBT`: as it is, it would drown the other, which counts the fine
    steps least and the noisy ones most. To Adam the factor is nothing in the parameters
    of the variance alone. (One run each of a small model of MNIST, 1500 steps,
    K - L_null in bits/pixel: 3.0 with a factor of 1, 4.1 with 0.01, of another seed
    3.8, and 3.4 with 0.001; by "picture" 3.5, by "bound" 3.8.)

    The value is K's. What is added to it is zero, and brings in the gradient.
    """
    taught = DOUBT * KL("mean") + picture_weights(model, t) * KL("variance")
    return hold(KL()) + (taught - hold(taught))


def hold(value):
    """A value that gradients take for given."""
    return pytensor.gradient.disconnected_grad(value)


def picture_weights(model, t, exponent: float = 1.0):
    """What a divergence counts where every step asks alike for the picture, (n_t,).

    A divergence is about beta_t / (2 b_t) times the squared error of the noise that
    the model sees in x^t (Ho et al., 2020), b_t being `beta_cumulative`. That is
    (1 - b_t) / b_t times the squared error of the picture. The weights, raised to the
    exponent, are scaled to an average of one over all steps.
    """
    b = model.beta_cumulative
    weights = b / model.beta_arr * b / (1.0 - b + FAINT)
    weights = weights if exponent == 1 else weights**exponent
    return model.at(hold(weights / weights[1:].mean()), t).flatten()


WEIGHTINGS = {
    "bound": alike,
    "between": between,
    "picture": by_picture,
    "apart": apart,
}
