"""The quadratic models of SFO."""

import numpy as np

from dpm.sfo.models import INITIAL_CURVATURES, QuadraticModels, bfgs_hessian


def test_bfgs_reproduces_the_pairs_and_stays_positive():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(6, 6))
    H = root @ root.T
    dx = rng.normal(size=(6, 3))
    for initial_curvature in INITIAL_CURVATURES:
        B, c = bfgs_hessian(dx, H @ dx, initial_curvature)
        np.testing.assert_allclose(B @ dx[:, -1], H @ dx[:, -1], rtol=1e-8)
        assert np.linalg.eigvalsh(B).min() > 0 and c > 0
    exact = np.diag([5.0, 4.0, 3.0])  # conjugate pairs: all are reproduced
    B, c = bfgs_hessian(np.eye(3), exact)
    np.testing.assert_allclose(B, exact, atol=1e-12)
    assert c == 3.0
    B, _ = bfgs_hessian(dx, -H @ dx)  # a hill: damped
    assert np.linalg.eigvalsh(B).min() > 0
    _, c = bfgs_hessian(np.eye(3), np.diag([2.0, 4.0, 3.0]), "smallest")
    np.testing.assert_allclose(c, 2.0)


def test_models_are_exact_where_the_curvature_is_known():
    models = QuadraticModels(2, np.zeros(2), 4, 9, "latest")
    H = np.diag([3.0, 1.0])
    for point in np.array([[1.0, 1.0], [2.0, 1.0], [2.0, 3.0]]):
        x = models.coordinates(point)
        slope = models.coordinates(H @ point)
        models.measure(1, x, point @ H @ point / 2, slope)
    there = np.array([-1.0, 5.0])
    values, slopes = models.predict(models.coordinates(there))
    np.testing.assert_allclose(values, [there @ H @ there / 2])
    np.testing.assert_allclose(models.basis @ slopes[0], H @ there)
    step = models.newton_step(slopes[0])
    np.testing.assert_allclose(models.basis @ step, -there)
    models.measure(0, models.coordinates(there), 0.0, slopes[0])  # adopts H
    np.testing.assert_allclose(
        models.basis @ models.H @ models.basis.T, 2 * H, atol=1e-9
    )
    models.forget(0)
    np.testing.assert_allclose(models.basis @ models.H @ models.basis.T, H, atol=1e-9)
