"""Writes photographs.json: what Pillow and torchvision make of one small image.

Made with Pillow 11.3.0 and torchvision 0.29.2 (PyTorch 2.15.0): python3 photographs.py
"""

import json
import pathlib

import numpy as np
from PIL import Image
from torchvision.transforms import functional as F

WIDTH, HEIGHT = 23, 17
y, x, c = np.mgrid[0:HEIGHT, 0:WIDTH, 0:3]
PIXELS = ((x * x * 7 + y * 13 + c * 101 + x * y * 3) % 256).astype(np.uint8)
# Smooth as photographs are, beside the noise: hues of every sector, gray, black, white.
SMOOTH = np.stack([x[..., 0] * 11, y[..., 0] * 15, (WIDTH - 1 - x[..., 0]) * 7 + y[..., 0] * 5], 2)
SMOOTH = SMOOTH.clip(0, 255).astype(np.uint8)


def text(image):
    return np.asarray(image, dtype=np.uint8).tobytes().hex()


def cases(pixels):
    image = Image.fromarray(pixels)
    out = {"pixels": text(image), "resized": [], "evaluated": [], "changed": []}
    for part in [(0, 0, 23, 17), (3, 2, 9, 14), (5, 5, 1, 1), (0, 4, 20, 3)]:
        for width, height in [(8, 8), (23, 17), (5, 30), (40, 2), (1, 1)]:
            left, top, wide, tall = part
            result = F.resized_crop(image, top, left, tall, wide, [height, width])
            out["resized"].append({"part": part, "size": [width, height], "pixels": text(result)})
    for side, size in [(16, 14), (32, 28), (9, 8)]:
        result = F.center_crop(F.resize(image, side), size)
        out["evaluated"].append({"side": side, "size": size, "pixels": text(result)})
    for name, change, values in [
        ("brightness", F.adjust_brightness, [0.6, 0.9, 1.0, 1.37]),
        ("contrast", F.adjust_contrast, [0.6, 0.9, 1.0, 1.37]),
        ("saturation", F.adjust_saturation, [0.6, 0.9, 1.0, 1.37]),
        ("hue", F.adjust_hue, [-0.5, -0.2, -0.013, 0.0, 0.077, 0.2, 0.5]),
    ]:
        for value in values:
            result = change(image, value)
            out["changed"].append({"change": name, "value": value, "pixels": text(result)})
    return out


if __name__ == "__main__":
    golden = {
        "origin": "tests/data/photographs.py; Pillow 11.3.0, torchvision 0.29.2",
        "width": WIDTH,
        "height": HEIGHT,
        "images": [cases(PIXELS), cases(SMOOTH)],
    }
    path = pathlib.Path(__file__).with_name("photographs.json")
    path.write_text(json.dumps(golden) + "\n")
