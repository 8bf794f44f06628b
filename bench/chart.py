# SPDX-License-Identifier: Apache-2.0
"""Pictures of figures, as SVG that reads on light and on dark pages. Nothing but text: bars(), and lines() over logarithmic scales."""
import math
from html import escape

WIDTH, LEFT, RIGHT, TOP = 760, 64, 150, 62
STYLE = """<style>
  .page { fill: #ffffff } .text { fill: #1f2328 } .soft { fill: #59636e } .grid { stroke: #d1d9e0 } .a { fill: #0a6bcb; stroke: #0a6bcb } .b { fill: #d9822b; stroke: #d9822b }
  .c { fill: #6e7781; stroke: #6e7781 } .d { fill: #b3bac1; stroke: #b3bac1 } .line { fill: none; stroke-width: 2.5 } .inside { fill: #ffffff }
  @media (prefers-color-scheme: dark) { .page { fill: #0d1117 } .text { fill: #e6edf3 } .soft { fill: #9198a1 } .grid { stroke: #30363d } .a { fill: #58a6ff; stroke: #58a6ff }
    .b { fill: #f0a04b; stroke: #f0a04b } .c { fill: #9198a1; stroke: #9198a1 } .d { fill: #59636e; stroke: #59636e } .line { fill: none } .inside { fill: #0d1117 } }
  text { font: 13px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif } .title { font-size: 16px; font-weight: 600 } .small { font-size: 12px }
</style>"""


def number(x):
    """With three digits that count, and thousands told apart."""
    if x == int(x):
        return f"{x:,.0f}"
    return f"{x:,.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2g}"


def text(x, y, what, kind="text", anchor="start"):
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(what)}</text>'


def picture(height, title, under, parts):
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-label="{escape(title, True)}">',
                      STYLE, f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>', text(20, 28, title, "text title"), text(20, 47, under, "soft small"), *parts, "</svg>\n"])


def bars(title, under, rows, parts):
    """rows: [(label, [value of each part])]; parts: [(name, colour)]. Lying, stacked, on one scale from 0."""
    left, gap, thick = 190, 40, 22
    most = max(sum(values) for _, values in rows)
    scale = (WIDTH - left - 80) / most
    out, x = [], left
    for name, colour in parts:
        out += [f'<rect class="{colour}" x="{x}" y="{TOP}" width="11" height="11"/>', text(x + 17, TOP + 10, name, "soft small")]
        x += 34 + 7 * len(name)
    for at, (label, values) in enumerate(rows):
        y, x = TOP + 30 + at * gap, left
        out.append(text(left - 12, y + 16, label, "text", "end"))
        for value, (_, colour) in zip(values, parts):
            if value > 0:
                out.append(f'<rect class="{colour}" x="{x:.1f}" y="{y}" width="{max(value * scale, 1):.1f}" height="{thick}"/>')
            x += value * scale
        out.append(text(x + 8, y + 16, number(sum(values)), "text"))
    return picture(TOP + 34 + gap * len(rows), title, under, out)


def ticks(low, high, base):
    """Powers of the base, for 10 with a half between, that hold the values."""
    if base == 2:
        return [2 ** e for e in range(math.floor(math.log2(low) + 1e-9), math.ceil(math.log2(high) - 1e-9) + 1)]
    steps = [m * 10.0 ** e for e in range(-4, 8) for m in (1, 3)]
    return [s for s in steps if low / 3.34 < s < high * 3.34]


def lines(title, under, series, x_name, y_name, x_base=None, y_base=10):
    """series: [(name, colour, [(x, y)])]. A base makes a scale logarithmic; without one it is linear from 0."""
    height, bottom = 380, 380 - 52
    xs, ys = [x for _, _, p in series for x, _ in p], [y for _, _, p in series for _, y in p]

    def axis(values, base):
        if base:
            marks = ticks(min(values), max(values), base)
            low, span = math.log(marks[0]), math.log(marks[-1] / marks[0]) or 1
            return marks, lambda v: (math.log(v) - low) / span
        step = 10 ** math.floor(math.log10(max(values)))
        step = next(s for s in (step / 5, step / 2, step, step * 2) if max(values) / s <= 6)
        marks = [i * step for i in range(math.ceil(max(values) / step) + 1)]
        return marks, lambda v: v / marks[-1]
    (x_marks, x_of), (y_marks, y_of) = axis(xs, x_base), axis(ys, y_base)

    def px(v):
        return LEFT + x_of(v) * (WIDTH - LEFT - RIGHT)

    def py(v):
        return bottom - y_of(v) * (bottom - TOP - 22)
    out = [text(20, TOP + 6, y_name, "soft small"), text(WIDTH - RIGHT, height - 14, x_name, "soft small", "end")]
    for v in y_marks:
        out += [f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py(v):.1f}" y2="{py(v):.1f}"/>', text(LEFT - 8, py(v) + 4, number(v), "soft small", "end")]
    for v in x_marks:
        out += [f'<line class="grid" x1="{px(v):.1f}" x2="{px(v):.1f}" y1="{bottom}" y2="{bottom + 5}"/>', text(px(v), bottom + 19, number(v), "soft small", "middle")]
    taken = []                                          # labels at the right end keep clear of each other
    for name, colour, points in sorted(series, key=lambda s: -s[2][-1][1]):
        out.append(f'<polyline class="{colour} line" points="{" ".join(f"{px(x):.1f},{py(y):.1f}" for x, y in points)}"/>')
        out += [f'<circle class="{colour}" cx="{px(x):.1f}" cy="{py(y):.1f}" r="3.5"/>' for x, y in points]
        y = py(points[-1][1]) + 4
        while any(abs(y - t) < 16 for t in taken):
            y += 4
        taken.append(y)
        out.append(text(px(points[-1][0]) + 10, y, name, "text small"))
    return picture(height, title, under, out)
