"""The fusion scores as the field writes them: NumPy, SciPy, scikit-image, one pair at a time.

Every function takes the sources `a` and `b` and the fused image `f`, `(height, width)` in 0..255,
and returns a float. They are what `medgan.ops` is checked against and timed against, so they share
nothing with it; `REFERENCE` has them by the keys of the scores. Feature mutual information is in
`reference_fmi.py`.
"""

import numpy as np
from scipy import ndimage, signal
from skimage.measure import shannon_entropy
from skimage.metrics import structural_similarity

GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def spatial_frequency(a, b, f):
    """SF: root of the summed mean squares of row and column differences."""
    return np.sqrt(np.mean(np.diff(f, axis=1) ** 2) + np.mean(np.diff(f, axis=0) ** 2))


def ssim(a, b, f):
    """Gaussian 11x11, L = 255, mean over both sources."""
    return np.mean([structural_similarity(x, f, data_range=255, **GAUSSIAN) for x in (a, b)])


def head(image):
    """Pixels with something brighter than 20 (or being so) on each of their four sides."""
    bright = image > 20
    above = np.maximum.accumulate(bright, axis=0)
    below = np.maximum.accumulate(bright[::-1], axis=0)[::-1]
    left = np.maximum.accumulate(bright, axis=1)
    right = np.maximum.accumulate(bright[:, ::-1], axis=1)[:, ::-1]
    return above & below & left & right


def ssim_head(a, b, f):
    """The map of `ssim`, averaged inside the union of both heads, 5 pixels off the border."""
    maps = [structural_similarity(x, f, data_range=255, full=True, **GAUSSIAN)[1] for x in (a, b)]
    values = np.mean(maps, axis=0)[5:-5, 5:-5]
    inside = (head(a) | head(b))[5:-5, 5:-5]
    return values[inside].mean() if inside.any() else values.mean()


def ssim_uniform(a, b, f):
    """The defaults of scikit-image: uniform 7x7, sample covariance, L = 255."""
    return np.mean([structural_similarity(x, f, data_range=255) for x in (a, b)])


def ssim_legacy_sum(a, b, f):
    """The sum over both sources, with the range of 2 that older scikit-image gave to floats."""
    a, b, f = (image.astype("float32") for image in (a, b, f))
    return structural_similarity(f, a, data_range=2) + structural_similarity(f, b, data_range=2)


def _similarity(x, y, data_range, **border):
    """SSIM map and its contrast-structure factor, on all pixels."""

    def mean(image):
        return ndimage.gaussian_filter(image, 1.5, radius=5, **border)

    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return structure * (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1), structure


def ssim_matlab(a, b, f):
    """Gaussian 11x11, border repeated, L = 1 although the images are in 0..255."""
    return np.mean([_similarity(x, f, 1.0, mode="nearest")[0].mean() for x in (a, b)])


def _multi_scale(x, y):
    result = 1.0
    weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    for scale, weight in enumerate(weights):
        ssim_map, structure = _similarity(x, y, 255.0)
        values = ssim_map if scale == len(weights) - 1 else structure
        result *= max(values[5:-5, 5:-5].mean(), 1e-6) ** weight
        # the filter's means of pixels 0 and 1, 2 and 3, ...
        x, y = (ndimage.uniform_filter(image, 2, origin=-1)[:-1:2, :-1:2] for image in (x, y))
    return result


def ms_ssim(a, b, f):
    """Five scales, mean over both sources."""
    return (_multi_scale(a, f) + _multi_scale(b, f)) / 2


def _correlation(x, y):
    return np.corrcoef(x.ravel(), y.ravel())[0, 1]


def correlation(a, b, f):
    """CC: mean of both Pearson correlations."""
    return (_correlation(a, f) + _correlation(b, f)) / 2


def scd(a, b, f):
    """Sum of the correlations of differences."""
    return _correlation(f - b, a) + _correlation(f - a, b)


def entropy(a, b, f):
    """EN in bits."""
    return shannon_entropy(np.round(f).astype("uint8"))


def _entropy(counts):
    shares = counts[counts > 0] / counts.sum()
    return -np.sum(shares * np.log(shares))


def _entropies(x, y):
    """H(x), H(y), H(x, y) in nats, 256 bins."""
    edges = np.arange(257) - 0.5
    joint, _, _ = np.histogram2d(x.ravel(), y.ravel(), bins=(edges, edges))
    return _entropy(joint.sum(axis=1)), _entropy(joint.sum(axis=0)), _entropy(joint)


def mutual_information(a, b, f):
    """MI in nats, sum over both sources."""
    (a, fused, with_a), (b, _, with_b) = _entropies(a, f), _entropies(b, f)
    return a + fused - with_a + b + fused - with_b


def mutual_information_bits(a, b, f):
    """MI in bits."""
    return mutual_information(a, b, f) / np.log(2)


def normalised_mutual_information(a, b, f):
    """NMI of Hossny et al."""
    total = 0.0
    for x in (a, b):
        first, second, joint = _entropies(x, f)
        total += 2 * (first + second - joint) / (first + second) if first + second > 0 else 0.0
    return total


def standard_deviation(a, b, f):
    """SD."""
    return np.std(f)


def average_gradient(a, b, f):
    """AG over rows x columns."""
    along_y, along_x = np.gradient(f)
    return np.mean(np.sqrt((along_x**2 + along_y**2) / 2))


def average_gradient_interior(a, b, f):
    """AG over (rows - 1) x (columns - 1)."""
    rows, columns = f.shape
    return average_gradient(a, b, f) * f.size / ((rows - 1) * (columns - 1))


def _psnr(a, b, f, peak):
    square_error = (np.mean((a - f) ** 2) + np.mean((b - f) ** 2)) / 2
    return 10 * np.log10(peak**2 / square_error) if square_error > 0 else 100.0


def psnr(a, b, f):
    """PSNR of the mean squared error over both sources, peak 255."""
    return _psnr(a, b, f, 255.0)


def psnr_peak_fused(a, b, f):
    """PSNR, peak = maximum of the fused image."""
    return _psnr(a, b, f, f.max())


SOBEL_X = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=float)
SOBEL_Y = np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]], dtype=float)


def _qabf_edges(image):
    along_x = signal.convolve2d(image, SOBEL_X, mode="same")
    along_y = signal.convolve2d(image, SOBEL_Y, mode="same")
    angle = np.full_like(image, np.pi / 2)
    angle[along_x != 0] = np.arctan(along_y[along_x != 0] / along_x[along_x != 0])
    return np.hypot(along_x, along_y), angle


def _qabf_preserved(strength, angle, fused_strength, fused_angle):
    weaker = np.minimum(strength, fused_strength)
    stronger = np.maximum(strength, fused_strength)
    ratio = np.divide(weaker, stronger, out=np.zeros_like(weaker), where=stronger > 0)
    ratio = np.where(strength == fused_strength, fused_strength, ratio)
    alignment = 1 - np.abs(angle - fused_angle) / (np.pi / 2)
    kept_strength = 0.9994 / (1 + np.exp(-15 * (ratio - 0.5)))
    return kept_strength * 0.9879 / (1 + np.exp(-22 * (alignment - 0.8)))


def qabf(a, b, f):
    """Edge preservation of Xydeas and Petrovic."""
    fused = _qabf_edges(f)
    kept = total = 0.0
    for x in (a, b):
        strength, angle = _qabf_edges(x)
        kept += np.sum(_qabf_preserved(strength, angle, *fused) * strength)
        total += np.sum(strength)
    return kept / total if total > 0 else 0.0


def _nabf_edges(image):
    along_x = ndimage.sobel(image, axis=1, mode="mirror") / 8
    along_y = ndimage.sobel(image, axis=0, mode="mirror") / 8
    return np.hypot(along_x, along_y), np.arctan2(along_y, along_x)


def _nabf_preserved(strength, angle, fused_strength, fused_angle):
    weaker = np.minimum(strength, fused_strength)
    stronger = np.maximum(strength, fused_strength)
    ratio = np.divide(weaker, stronger, out=np.zeros_like(weaker), where=stronger > 0)
    between = np.abs(angle - fused_angle) % np.pi  # edges are lines: no direction
    alignment = np.abs(between - np.pi / 2) * 2 / np.pi
    kept_strength = 0.9999 / (1 + np.exp(-19 * (ratio - 0.5)))
    return np.sqrt(kept_strength * 0.9995 / (1 + np.exp(-22 * (alignment - 0.5))))


def nabf(a, b, f):
    """Fusion artefacts in Kumar's form."""
    edges = [_nabf_edges(x) for x in (a, b)]
    fused = _nabf_edges(f)
    weights = [np.where(strength >= 2, strength**1.5, 0.001) for strength, _ in edges]
    new = (fused[0] > edges[0][0]) & (fused[0] > edges[1][0])
    lost = [
        (1 - _nabf_preserved(*edge, *fused)) * weight
        for edge, weight in zip(edges, weights, strict=True)
    ]
    return np.sum(lost, axis=0)[new].sum() / np.sum(weights)


def _window(size):
    offsets = np.arange(size) - size // 2
    line = np.exp(-(offsets**2) / (2 * (size / 5) ** 2))
    return np.outer(line, line) / line.sum() ** 2


def _vif(x, f):
    kept = total = 0.0
    for scale, size in enumerate((17, 9, 5, 3)):
        window = _window(size)

        def mean(image, window=window):
            return signal.convolve2d(image, window, mode="valid")

        if scale:
            x, f = mean(x)[::2, ::2], mean(f)[::2, ::2]
        mean_x, mean_f = mean(x), mean(f)
        variance_x = np.maximum(mean(x * x) - mean_x**2, 0)
        variance_f = np.maximum(mean(f * f) - mean_f**2, 0)
        covariance = mean(x * f) - mean_x * mean_f
        flat_x, flat_f = variance_x < 1e-10, variance_f < 1e-10
        gain = covariance / (variance_x + 1e-10)
        noise = variance_f - gain * covariance
        noise[flat_x] = variance_f[flat_x]
        noise[flat_f] = 0
        gain[flat_x | flat_f] = 0
        variance_x[flat_x] = 0
        noise[gain < 0] = variance_f[gain < 0]
        gain = np.maximum(gain, 0)
        noise = np.maximum(noise, 1e-10)
        kept += np.sum(np.log10(1 + gain**2 * variance_x / (noise + 2)))
        total += np.sum(np.log10(1 + variance_x / 2))
    return kept / total if total > 0 else 1.0


def vif(a, b, f):
    """Pixel-domain visual information fidelity, sum over both sources."""
    return _vif(a, f) + _vif(b, f)


REFERENCE = {
    "sf": spatial_frequency,
    "ssim": ssim,
    "ssim_head": ssim_head,
    "ssim_uniform": ssim_uniform,
    "ssim_legacy_sum": ssim_legacy_sum,
    "ssim_matlab": ssim_matlab,
    "ms_ssim": ms_ssim,
    "scd": scd,
    "qabf": qabf,
    "nabf": nabf,
    "vif": vif,
    "mi": mutual_information,
    "mi_bits": mutual_information_bits,
    "nmi": normalised_mutual_information,
    "en": entropy,
    "sd": standard_deviation,
    "ag": average_gradient,
    "ag_interior": average_gradient_interior,
    "cc": correlation,
    "psnr": psnr,
    "psnr_peak_fused": psnr_peak_fused,
}
"""Key of the score to its function of (a, b, f)."""
