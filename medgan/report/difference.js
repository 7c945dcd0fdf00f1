// The signed difference of two pictures, computed here from the pixels that are shown.

// Colours of a difference of -1, ..., 0, ..., 1: blue, black, orange, paler towards the ends.
const RAMP = [
  [-1, [214, 236, 255]],
  [-0.6, [43, 127, 214]],
  [0, [0, 0, 0]],
  [0.6, [230, 110, 10]],
  [1, [255, 228, 186]],
];

/** Colour of a difference in [-1, 1]. */
function rampColour(value) {
  const upper = Math.max(1, RAMP.findIndex(([place]) => place >= value));
  const [[start, first], [end, second]] = [RAMP[upper - 1], RAMP[upper]];
  const share = (value - start) / (end - start);
  return first.map((part, channel) => part + share * (second[channel] - part));
}

/** Grey levels of a loaded picture, with its size. */
function greyLevels(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return {
    width: canvas.width,
    height: canvas.height,
    grey: Uint8Array.from({ length: data.length / 4 }, (_, pixel) => data[4 * pixel]),
  };
}

function sameSize(left, right) {
  return left.width === right.width && left.height === right.height;
}

/** Paints right minus left; gives the mean absolute and the largest difference. */
function paintDifference(canvas, left, right, gain) {
  canvas.width = left.width;
  canvas.height = left.height;
  const context = canvas.getContext("2d");
  const painted = context.createImageData(left.width, left.height);
  const colours = [];
  for (let level = -255; level <= 255; level += 1) {
    colours.push(rampColour(Math.max(-1, Math.min(1, (level * gain) / 255))));
  }
  painted.data.fill(255);
  let sum = 0;
  let largest = 0;
  for (let pixel = 0; pixel < left.grey.length; pixel += 1) {
    const difference = right.grey[pixel] - left.grey[pixel];
    const colour = colours[difference + 255];
    for (let channel = 0; channel < 3; channel += 1) {
      painted.data[4 * pixel + channel] = colour[channel];
    }
    sum += Math.abs(difference);
    if (Math.abs(difference) > Math.abs(largest)) largest = difference;
  }
  context.putImageData(painted, 0, 0);
  return { mean: sum / left.grey.length, largest };
}

/** An empty map, where two pictures cannot be subtracted. */
function clearDifference(canvas) {
  canvas.width = 1;
  canvas.height = 1;
}

function signed(level) {
  if (level === 0) return "0";
  return (level > 0 ? "+" : "−") + Math.abs(level);
}
