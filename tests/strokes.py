"""Ten digits as a person draws them: lines from point to point on a board of side 1."""

import itertools

import numpy as np


def arc(x, y, rx, ry, start, end, n=24):
    """Points on an ellipse, angles in degrees: 0 is right, 90 is down."""
    angle = np.radians(np.linspace(start, end, n))
    return list(zip(x + rx * np.cos(angle), y + ry * np.sin(angle), strict=True))


DIGITS = {  # each a list of strokes, each stroke a list of points (x, y)
    0: [arc(0.5, 0.5, 0.2, 0.32, -80, 285)],
    1: [[(0.55, 0.15), (0.47, 0.85)]],
    2: [[*arc(0.5, 0.33, 0.19, 0.17, -170, 40), (0.3, 0.82), (0.74, 0.8)]],
    3: [
        [
            *arc(0.46, 0.32, 0.2, 0.17, -150, 90),
            *arc(0.46, 0.66, 0.23, 0.18, -90, 150),
        ]
    ],
    4: [[(0.4, 0.15), (0.27, 0.52), (0.72, 0.5)], [(0.66, 0.2), (0.6, 0.88)]],
    5: [
        [(0.7, 0.17), (0.38, 0.18), (0.35, 0.45)],
        [(0.35, 0.45), *arc(0.46, 0.64, 0.22, 0.2, -110, 150)],
    ],
    6: [[(0.6, 0.14), (0.4, 0.42), *arc(0.5, 0.67, 0.18, 0.18, -180, 170)]],
    7: [[(0.27, 0.2), (0.72, 0.2), (0.45, 0.86)]],
    8: [
        [
            *arc(0.5, 0.32, 0.15, 0.16, 60, -240),
            *arc(0.5, 0.66, 0.18, 0.18, -80, 265),
            (0.55, 0.48),
        ]
    ],
    9: [[*arc(0.48, 0.34, 0.17, 0.17, 0, -350), (0.65, 0.36), (0.6, 0.86)]],
}


def ink(strokes, side=280, pen=24):
    """What a round pen leaves on paper: (side, side) uint8, as the browser draws it."""
    row, column = np.mgrid[:side, :side] + 0.5
    nearest = np.full((side, side), np.inf)
    for stroke in strokes:
        for a, b in itertools.pairwise(np.multiply(stroke, side)):
            along = b - a
            t = (column - a[0]) * along[0] + (row - a[1]) * along[1]
            t = np.clip(t / max(along @ along, 1e-9), 0, 1)
            distance = np.hypot(column - a[0] - t * along[0], row - a[1] - t * along[1])
            nearest = np.minimum(nearest, distance)
    return (255 * np.clip(pen / 2 - nearest + 0.5, 0, 1)).astype(np.uint8)
