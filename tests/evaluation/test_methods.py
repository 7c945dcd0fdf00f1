import numpy as np
import pytest
from numpy.testing import assert_allclose

from medgan.classical import laplacian
from medgan.errors import DataError
from medgan.evaluation import ComputedMethod, Problems, Study, score_study

SHAPE = (12, 14)


def study_of(*shapes):
    rng = np.random.default_rng(0)
    images = [rng.uniform(size=(*shape, 2)).astype("float32") for shape in shapes]
    names = [f"{number}.png" for number in range(len(images))]
    return Study(names, None, images.__getitem__, ["CT", "MRI"])


def results_of(function):
    """Results of a method on two images, whether they are there, and problems."""
    study, problems = study_of(SHAPE, SHAPE), Problems()
    references = np.stack([study.read(index) for index in range(2)])
    return *ComputedMethod("net", function).results(study, [0, 1], references, problems), problems


@pytest.mark.usefixtures("few_scores")
def test_a_size_that_a_method_refuses_is_left_out_for_this_method_alone():
    study, problems = study_of(SHAPE, (3, 3), SHAPE), Problems()
    brightest = ComputedMethod("maximum", lambda x: x.max(axis=-1, keepdims=True))
    methods = [brightest, ComputedMethod("laplacian", laplacian)]
    values, *_ = score_study(study, methods, "fusion", problems)
    assert np.isnan(values["laplacian"]["sf"]).tolist() == [False, True, False]
    assert not np.isnan(values["maximum"]["sf"]).any()
    (line,) = problems.lines
    assert line.startswith("1.png (laplacian): received images of 3x3; this method needs at least")
    with pytest.raises(DataError, match=r"1\.png \(laplacian\)"):
        score_study(study, methods, "fusion", Problems(strict=True))


def test_a_small_overshoot_is_clipped():
    results, there, problems = results_of(lambda x: 1.4 * x[..., :1] - 0.2)
    sources = study_of(SHAPE, SHAPE)
    expected = [np.clip(1.4 * sources.read(index)[..., :1] - 0.2, 0, 1) for index in range(2)]
    assert there.all() and problems.lines == []
    assert_allclose(results, expected, atol=0.51 / 255)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0, 255), "received values from 0 to 255, expected [0, 1]"),
        ((-1, 1), "received values from -1 to 1, expected [0, 1]"),
        ((np.inf, np.inf), "received 168 of 168 pixels that are NaN or infinite"),
        ((np.nan, 0.5), "received 84 of 168 pixels that are NaN or infinite"),
    ],
)
def test_results_in_other_units_are_left_out_and_not_clipped(values, words):
    strange = np.full((*SHAPE, 1), values[0], "float32")
    strange[::2] = values[1]

    def network(sources):
        return np.stack([np.full((*SHAPE, 1), 0.5, "float32"), strange])

    _, there, problems = results_of(network)
    assert there.tolist() == [True, False]
    (line,) = problems.lines
    assert line.startswith(f"1.png (net): {words}")
