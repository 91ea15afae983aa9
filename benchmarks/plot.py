"""Line plots as SVG, written by hand: round numbers, one line a series. Pure functions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 72, 20, 48, 56
MARKS = 8  # at most, so that labels don't touch
COLOURS = ("#1b6ca8", "#c1440e", "#4d7c0f", "#7c3aed")
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}"
    ".t{font-size:15px;font-weight:600}"
    ".g{stroke:#ddd}"
    ".a{stroke:#333}"
)
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps values from *low* to *high* to pixels from *start* to *end*; *marks* are its ticks."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    marks: tuple[float, ...] = ()

    def place(self, value: float) -> float:
        """Return the pixel of *value*."""
        if self.log:
            span = math.log(self.high / self.low)
            share = math.log(value / self.low) / span if span else 0.5
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Return the marks, or round values on the axis."""
        if self.marks:
            return list(self.marks)
        return log_ticks(self.low, self.high) if self.log else linear_ticks(self.low, self.high)


def linear_ticks(low: float, high: float, about: int = 7) -> list[float]:
    """Return about *about* multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / about
    size = 10 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in (1, 2, 5, 10) if factor * size >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 10) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten, and where they are few, their doubles and fives."""
    lowest, highest = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1,) if highest - lowest > 3 else (1, 2, 5)
    ticks = [f * 10.0**n for n in range(lowest, highest + 1) for f in factors]
    return [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]


def shown(value: float) -> str:
    """Return *value* as a label."""
    return f"{value:,.10g}"


def draw(
    title: str,
    x_label: str,
    y_label: str,
    series: Mapping[str, Points],
    *,
    log_x: bool = False,
    log_y: bool = False,
) -> str:
    """Return an SVG of *series*; each is drawn in the order of its points.

    Raises:
        ValueError: there are no points.
    """
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    if not xs:
        raise ValueError(f"{title}: there is nothing to draw")
    # Where points are spread by factors, what was measured says more than powers of ten.
    marks = tuple(sorted(set(xs))) if log_x and len(set(xs)) <= MARKS else ()
    x = Axis(min(xs), max(max(xs), min(xs) + 1e-9), LEFT, WIDTH - RIGHT, log_x, marks)
    low = min(ys) / 1.3 if log_y else 0.0
    y = Axis(low, max(max(ys), 1e-9) * (1.3 if log_y else 1.08), HEIGHT - BOTTOM, TOP, log_y)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text class="t" x="{LEFT}" y="20">{escape(title)}</text>',
        *_axes(x, y, x_label, y_label),
    ]
    for number, (name, points) in enumerate(series.items()):
        parts += _line(number, name, points, x, y)
    return "\n".join([*parts, "</svg>", ""])


def _axes(x: Axis, y: Axis, x_label: str, y_label: str) -> list[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for tick in x.ticks():
        at = x.place(tick)
        parts.append(f'<line class="g" x1="{at}" y1="{TOP}" x2="{at}" y2="{bottom}"/>')
        parts.append(_text(at, bottom + 16, shown(tick), "middle"))
    for tick in y.ticks():
        at = y.place(tick)
        parts.append(f'<line class="g" x1="{LEFT}" y1="{at}" x2="{right}" y2="{at}"/>')
        parts.append(_text(LEFT - 6, at + 4, shown(tick), "end"))
    parts.append(f'<path class="a" fill="none" d="M{LEFT} {TOP}V{bottom}H{right}"/>')
    parts.append(_text((LEFT + right) / 2, HEIGHT - 14, x_label, "middle"))
    middle = (TOP + bottom) / 2
    parts.append(
        f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>"
    )
    return parts


def _line(number: int, name: str, points: Points, x: Axis, y: Axis) -> list[str]:
    colour = COLOURS[number % len(COLOURS)]
    placed = [(x.place(a), y.place(b)) for a, b in points]
    path = " ".join(f"{a},{b}" for a, b in placed)
    dots = [f'<circle cx="{a}" cy="{b}" r="3" fill="{colour}"/>' for a, b in placed]
    at = LEFT + number * 150
    return [
        f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>',
        *dots,
        f'<rect x="{at}" y="30" width="14" height="4" fill="{colour}"/>',
        _text(at + 20, 36, name, "start"),
    ]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
