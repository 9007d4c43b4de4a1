"""Humphrey's data and results: ten programs, as published with programs 4A to 7A of the PSP course.

W. S. Humphrey, A Discipline for Software Engineering (1995), table D8 and appendix D; the same as the assignment kits for
programs 3 and 6 of PSP for Engineers (Software Engineering Institute, 2006), whose results have more digits.
"""

from asp_telemetry.estimation import Line, Point

PROXY = (130, 650, 99, 150, 128, 302, 95, 945, 368, 961)
PLANNED = (163, 765, 141, 166, 137, 355, 136, 1206, 433, 1130)
ACTUAL = (186, 699, 132, 272, 291, 331, 199, 1890, 788, 1601)
HOURS = (15.0, 69.9, 6.5, 22.4, 28.4, 65.9, 19.4, 198.7, 38.8, 138.2)
NEW = 386
"""The size of the program that is to be estimated."""


def line(x: tuple[float, ...], y: tuple[float, ...]) -> Line:
    """Fit a line to two columns."""
    return Line(points(x, y))


def points(x: tuple[float, ...], y: tuple[float, ...]) -> list[Point]:
    """Pair two columns."""
    return [Point(f"P-{place}", *pair) for place, pair in enumerate(zip(x, y, strict=True), 1)]
