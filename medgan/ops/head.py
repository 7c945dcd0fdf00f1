"""The head, and scores inside it: half of a brain image is black background."""

from keras import ops

from medgan.ops.ssim import fusion_ssim_map


def _reached(foreground, axis):
    """Marks what lies between the first and the last foreground pixel of every line."""
    forwards = ops.cumsum(foreground, axis=axis)
    backwards = ops.flip(ops.cumsum(ops.flip(foreground, axis), axis=axis), axis)
    return ops.minimum(forwards, 1.0) * ops.minimum(backwards, 1.0)


def head_mask(sources, threshold=20 / 255):
    """Where the head is: the union of both sources' heads, filled.

    A pixel counts where its source is brighter than the threshold to its left, to its right, above
    and below (or at the pixel itself): for a head this is the filled outline, without a search for
    connected regions, so that it runs in a graph and on any device.

    Args:
        sources: `(batch, height, width, 2)`, in [0, 1].
        threshold: grey value above which a pixel is foreground.

    Returns:
        `(batch, height, width)` of 0 and 1, float32.
    """
    foreground = ops.cast(ops.cast(sources, "float32") > threshold, "float32")
    return ops.max(_reached(foreground, 1) * _reached(foreground, 2), axis=-1)


def head_ssim(sources, fused):
    """`fusion_ssim` inside the head: what is left when the black background is not counted.

    Args:
        sources: `(batch, height, width, 2)`, in 0..255.
        fused: `(batch, height, width, 1)`, in 0..255.

    Returns:
        `(batch,)`, in [-1, 1]; the value of the whole frame where there is no head.
    """
    values = fusion_ssim_map(sources, fused, 255.0)
    margin = 5  # the map's border is cut by half a window
    mask = head_mask(ops.cast(sources, "float32") / 255.0)[:, margin:-margin, margin:-margin]
    pixels = ops.sum(mask, axis=(1, 2))
    inside = ops.sum(values * mask, axis=(1, 2)) / ops.maximum(pixels, 1.0)
    return ops.where(pixels > 0, inside, ops.mean(values, axis=(1, 2)))
