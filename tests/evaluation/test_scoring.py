import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from medgan.errors import DataError
from medgan.evaluation import (
    ComputedMethod,
    FolderMethod,
    ImageFolder,
    Problems,
    Study,
    UnusableImage,
    score_study,
)
from medgan.evaluation.scoring import batch_size, batches
from medgan.metrics import FUSION_SCORES

pytestmark = pytest.mark.usefixtures("few_scores")

SHAPE = (12, 14)


def levels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, "uint8")


def study_of(images, read=None):
    images = [image.astype("float32") / np.float32(255) for image in images]
    names = [f"{number}.png" for number in range(len(images))]
    return Study(names, None, read or images.__getitem__, ["CT", "MRI"])


def folder_of(tmp_path, images, name="mine"):
    (tmp_path / name).mkdir()
    for stem, image in images.items():
        assert cv2.imwrite(str(tmp_path / name / f"{stem}.png"), image)
    return FolderMethod(name, ImageFolder(name, tmp_path / name))


def frequency(image):
    image = image.astype("float64")
    return np.sqrt(np.mean(np.diff(image, axis=0) ** 2) + np.mean(np.diff(image, axis=1) ** 2))


MAXIMUM = ComputedMethod("maximum", lambda x: x.max(axis=-1, keepdims=True))


def test_batches_are_of_one_size_and_bounded():
    shapes = [SHAPE, (9, 9), *[SHAPE] * 18, (9, 9)]
    study = study_of([levels(*shape, 2) for shape in shapes])
    received = list(batches(study, Problems()))
    assert sorted(index for indices, _ in received for index in indices) == list(range(21))
    for indices, references in received:
        assert len(indices) <= 16
        for index, reference in zip(indices, references, strict=True):
            assert_array_equal(reference, study.read(index))


def test_many_sizes_do_not_pile_up():
    alive = []

    def read(index):
        alive.append(index)
        return np.zeros((8 + index % 40, 9, 2), "float32")

    study = study_of([levels(8, 9, 2)] * 80, read)
    behind = 0
    for indices, _ in batches(study, Problems()):
        for index in indices:
            alive.remove(index)
        behind = max(behind, len(alive))
    assert behind < 40 and not alive


def test_batches_are_equally_full_and_smaller_for_large_images():
    assert batch_size(130, (256, 256, 2)) == 15  # nine batches
    assert batch_size(16, (256, 256, 2)) == 16
    assert batch_size(1, (256, 256, 2)) == 1
    assert batch_size(1000, (512, 512, 2)) == 4
    assert batch_size(1000, (4096, 4096, 2)) == 1


def test_values_belong_to_their_images_whatever_the_batches(tmp_path):
    sources = [levels(*SHAPE, 2, seed=seed) for seed in range(18)]
    fused = {str(seed): levels(*SHAPE, seed=100 + seed) for seed in range(18) if seed != 4}
    method = folder_of(tmp_path, fused)
    counted, problems = [], Problems()
    values, cautions, notes = score_study(
        study_of(sources), [method, MAXIMUM], "fusion", problems, counted.append
    )
    expected = [frequency(fused[str(i)]) if i != 4 else np.nan for i in range(18)]
    assert_allclose(values["mine"]["sf"], expected, rtol=1e-5)
    expected = [frequency(image.max(axis=-1)) for image in sources]
    assert_allclose(values["maximum"]["sf"], expected, rtol=1e-5)
    assert np.isnan(values["mine"]["scd"]).nonzero()[0].tolist() == [4]
    assert problems.lines[0].startswith("4.png (mine): received no result in ")
    assert counted == [4.5, 9, 13.5, 18] and notes == []
    assert list(cautions) == ["mine", "maximum"]


def test_results_of_another_size_are_left_out(tmp_path):
    sources = [levels(*SHAPE, 2, seed=seed) for seed in range(3)]
    fused = {"0": levels(*SHAPE), "1": levels(12, 13), "2": levels(*SHAPE)}
    problems = Problems()
    values, *_ = score_study(study_of(sources), [folder_of(tmp_path, fused)], "fusion", problems)
    (line,) = problems.lines
    assert line.startswith(
        "1.png (mine): received 12 x 13 pixels, expected 12 x 14 like CT and MRI"
    )
    assert np.isnan(values["mine"]["sf"]).tolist() == [False, True, False]


def test_sources_that_cannot_be_read_are_left_out_for_all():
    good = levels(*SHAPE, 2) / np.float32(255)

    def read(index):
        if index == 1:
            raise UnusableImage("1.png", "CT", "received a truncated PNG file")
        return good

    problems = Problems()
    values, *_ = score_study(study_of([good] * 3, read), [MAXIMUM], "fusion", problems)
    assert problems.lines == ["1.png (CT): received a truncated PNG file"]
    assert np.isnan(values["maximum"]["sf"]).tolist() == [False, True, False]


def test_results_without_source_are_said(tmp_path):
    method = folder_of(tmp_path, {"0": levels(*SHAPE), "7": levels(*SHAPE), "8": levels(*SHAPE)})
    study = study_of([levels(*SHAPE, 2)])
    study.known.add("8")  # a source that is not scored
    problems = Problems()
    score_study(study, [method], "fusion", problems)
    (line,) = problems.lines
    assert line.startswith("7.png (mine): received a result without a source")


def test_nothing_to_score_is_an_error_that_says_why(tmp_path):
    study = study_of([levels(*SHAPE, 2)])
    small = folder_of(tmp_path, {"0": levels(3, 3)}, "small")
    with pytest.raises(DataError, match=r"small: received no image .* received 3 x 3 pixels"):
        score_study(study, [MAXIMUM, small], "fusion", Problems())
    other = folder_of(tmp_path, {"fused_0": levels(*SHAPE)}, "other")
    with pytest.raises(DataError, match=r"other: received results such as fused_0 .* such as 0;"):
        score_study(study, [other], "fusion", Problems())


def test_computed_results_that_are_no_image_are_left_out():
    broken = ComputedMethod("broken", lambda x: np.where(x[..., :1] > 0.99, np.nan, x[..., :1]))
    sources = [np.full((*SHAPE, 2), 100, "uint8"), np.full((*SHAPE, 2), 255, "uint8")]
    problems = Problems()
    values, *_ = score_study(study_of(sources), [broken], "fusion", problems)
    assert problems.lines[0].startswith("1.png (broken): received 168 of 168 pixels that are NaN")
    assert np.isnan(values["broken"]["sf"]).tolist() == [False, True]


def test_computed_results_are_scored_as_files_of_eight_bits():
    average = ComputedMethod("average", lambda x: x.mean(axis=-1, keepdims=True), batch_size=2)
    sources = [levels(*SHAPE, 2, seed=seed) for seed in range(5)]
    study = study_of(sources)
    references = np.stack([study.read(index) for index in range(5)])
    results, there = average.results(study, range(5), references, Problems())
    assert there.all()
    # Halves go to the even grey level, as they do when whole numbers are averaged and rounded.
    expected = np.round(np.stack(sources).astype("float64").mean(axis=-1, keepdims=True))
    assert_allclose(255 * results, expected, atol=1e-4)


def test_scores_without_room_are_none_and_that_is_said():
    sources = [levels(*SHAPE, 2), levels(9, 20, 2)]
    values, _, notes = score_study(study_of(sources), [MAXIMUM], "fusion", Problems())
    assert np.isnan(values["maximum"]["ssim"]).tolist() == [False, True]
    assert not np.isnan(values["maximum"]["sf"]).any()
    assert notes == ["SSIM needs a shorter side of at least 11 pixels: 1 image has none."]


def test_scores_that_lack_the_same_images_are_said_in_one_sentence(few_scores):
    for key in ("ssim_head", "vif"):
        few_scores[key] = FUSION_SCORES[key]
    sources = [levels(9, 20, 2), levels(9, 20, 2)]
    *_, notes = score_study(study_of(sources), [MAXIMUM], "fusion", Problems())
    assert notes == [
        "SSIM, SSIM head need a shorter side of at least 11 pixels: 2 images have none of them.",
        "VIF needs a shorter side of at least 41 pixels: 2 images have none.",
    ]


def test_constant_images_are_scored(tmp_path):
    sources = [np.full((*SHAPE, 2), value, "uint8") for value in (0, 255)]
    values, *_ = score_study(study_of(sources), [MAXIMUM], "fusion", Problems())
    assert_allclose(values["maximum"]["sf"], 0, atol=1e-5)
    assert all(np.isfinite(column).all() for column in values["maximum"].values())
