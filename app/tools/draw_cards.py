"""Draw the 78 cards and the icon as SVG: `python tools/draw_cards.py [folder]`.

The pictures are committed, and a test compares them with what this draws: change them here.
Everything is computed from the card alone, so the same card is always the same file.
"""

import hashlib
import math
import sys
from pathlib import Path
from xml.sax.saxutils import escape

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tarot.deck import CARDS, Card

STATIC = Path(__file__).resolve().parent.parent / "static"
GOLD, IVORY = "#e8c872", "#f6efdc"

# Ground and glow of each group.
COLOURS = {
    None: ("#1b1233", "#46307a"),
    "wands": ("#2b0f14", "#7c2d25"),
    "cups": ("#0a2033", "#1d5f80"),
    "swords": ("#161c2b", "#47597a"),
    "pentacles": ("#0f2318", "#2f6b45"),
}
ROMAN = [
    "0",
    "I",
    "II",
    "III",
    "IV",
    "V",
    "VI",
    "VII",
    "VIII",
    "IX",
    "X",
    "XI",
    "XII",
    "XIII",
    "XIV",
    "XV",
    "XVI",
    "XVII",
    "XVIII",
    "XIX",
    "XX",
    "XXI",
]
COURT = {11: "PAGE", 12: "KNIGHT", 13: "QUEEN", 14: "KING"}


def number(value: float) -> str:
    """A coordinate, as short as it can be."""
    return f"{round(value, 1) + 0:g}"  # + 0 turns -0.0 into 0.0


def path(data: str, fill: str = "", width: float = 0) -> str:
    """A path; an outline in gold unless it is filled."""
    filling = f' fill="{fill}" stroke="none"' if fill else ""
    weight = f' stroke-width="{number(width)}"' if width else ""
    return f'<path d="{data}"{filling}{weight}/>'


def circle(x: float, y: float, radius: float, fill: str = "") -> str:
    """A circle; an outline in gold unless it is filled."""
    filling = f' fill="{fill}" stroke="none"' if fill else ""
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}"{filling}/>'


def at(x: float, y: float, art: str, scale: float = 1, turn: float = 0) -> str:
    """Art, moved to a point, scaled and turned."""
    rotation = f" rotate({number(turn)})" if turn else ""
    size = f" scale({number(scale)})" if scale != 1 else ""
    return f'<g transform="translate({number(x)} {number(y)}){rotation}{size}">{art}</g>'


def points(count: int, outer: float, inner: float, turn: float = 0) -> str:
    """The path of a star."""
    corners = []
    for step in range(count * 2):
        radius = inner if step % 2 else outer
        angle = math.radians(turn - 90 + step * 180 / count)
        corners.append(f"{number(radius * math.cos(angle))} {number(radius * math.sin(angle))}")
    return "M" + "L".join(corners) + "z"


def star(count: int, outer: float, inner: float, fill: str = GOLD, turn: float = 0) -> str:
    """A filled star."""
    return path(points(count, outer, inner, turn), fill)


def rays(count: int, inner: float, outer: float, turn: float = 0, sweep: float = 360) -> str:
    """Lines from a centre, as one path."""
    data = ""
    for step in range(count):
        angle = math.radians(turn + step * sweep / count)
        x, y = math.cos(angle), math.sin(angle)
        data += f"M{number(inner * x)} {number(inner * y)}"
        data += f"L{number(outer * x)} {number(outer * y)}"
    return path(data, width=2)


SUITS = {
    "wands": path("M-3-26q3-5 6 0V26q-3 4-6 0z", GOLD)
    + path(
        "M3-14q12-2 12-14Q3-28 3-14zM-3 0q-12-2-12-14Q-3-14-3 0zM3 14q12-2 12-14Q3 0 3 14z", IVORY
    ),
    "cups": path("M-17-24h34q0 26-13 31v9q2 6 10 9v3h-28v-3q8-3 10-9V7q-13-5-13-31z", GOLD)
    + path("M-17-24q17-9 34 0-17 8-34 0z", IVORY),
    "swords": path("M0-32l5 8V12H-5v-36z", IVORY)
    + path(
        "M-15 12h30q3 3 0 6H-15q-3-3 0-6zM-3 18h6v9h-6zM0 26a4 4 0 1 1 0 8 4 4 0 1 1 0-8z", GOLD
    ),
    "pentacles": circle(0, 0, 24, GOLD)
    + '<circle r="20" stroke="#0008" stroke-width="1.5"/>'
    + star(5, 19, 7.3, IVORY),
}

# Where the suit's signs stand, in a field of ±1 by ±1.
PIPS = {
    1: [(0, 0)],
    2: [(0, -0.6), (0, 0.6)],
    3: [(0, -0.8), (0, 0), (0, 0.8)],
    4: [(-0.7, -0.6), (0.7, -0.6), (-0.7, 0.6), (0.7, 0.6)],
    5: [(-0.7, -0.75), (0.7, -0.75), (0, 0), (-0.7, 0.75), (0.7, 0.75)],
    6: [(x, y) for y in (-0.85, 0, 0.85) for x in (-0.6, 0.6)],
    7: [(x, y) for y in (-0.85, 0, 0.85) for x in (-0.75, 0.75)] + [(0, -0.42)],
    8: [(x, y) for y in (-0.85, 0, 0.85) for x in (-0.75, 0.75)] + [(0, -0.42), (0, 0.42)],
    9: [(x, y) for y in (-0.85, 0, 0.85) for x in (-0.85, 0, 0.85)],
    10: [(x, y) for y in (-0.95, -0.32, 0.32, 0.95) for x in (-0.8, 0.8)] + [(0, -0.64), (0, 0.64)],
}

RANKS = {
    11: path("M-34 12q0-34 30-36 28 2 38 36-34-10-68 0z", GOLD)
    + path("M14-16q14-26 36-24-6 22-30 32z", IVORY),
    12: path("M-26 20v-26q0-26 26-26t26 26v26h-12V-2h-28v22z", GOLD)
    + path("M0-32q4-20 30-20-4 14-22 21z", IVORY),
    13: path("M-34 16l-6-36 20 16L0-28l20 24 20-16-6 36z", GOLD)
    + "".join(circle(x, y, 4.5, IVORY) for x, y in ((-40, -23), (0, -32), (40, -23))),
    14: path("M-36 16v-34l14 14 12-20h20l12 20 14-14v34z", GOLD)
    + path("M-3-52h6v8h8v6h-8v14h-6v-14h-8v-6h8z", IVORY),
}

INFINITY = "M0 0c12-18 34-18 34 0s-22 18-34 0-34-18-34 0 22 18 34 0z"
CRESCENT = "M10-40a40 40 0 1 0 30 58A32 32 0 1 1 10-40z"
HEART = "M0 24C-44-6-26-36 0-16 26-36 44-6 0 24z"
PILLAR = "M-11-70h22v8h-4V62h6v8h-26v-8h6V-62h-4z"
DROP = "M0-7q7 9 0 13-7-4 0-13z"
WAVE = "q9-9 18 0t18 0 18 0 18 0 18 0 18 0 18 0 18 0"
TOWER = "M-22 70v-120h-6v-22h10v8h8v-8h20v8h8v-8h10v22h-6V70z"
BOLT = "M8-46L-20 6H-2L-12 46 20-10H2z"


def waves(y: float, count: int = 2) -> str:
    """Water across the card."""
    return path("".join(f"M78 {number(y + 12 * line)}{WAVE}" for line in range(count)), width=2)


def suits(xs: tuple[float, ...], y: float, scale: float) -> str:
    """The four suits in a row."""
    return "".join(at(x, y, art, scale) for x, art in zip(xs, SUITS.values(), strict=True))


# Each major arcanum's sign, drawn around the middle of the card, (150, 240).
MAJORS = {
    "the-fool": at(205, 130, circle(0, 0, 20, GOLD) + rays(12, 26, 36))
    + path("M40 385L105 300h60l18 28 16-14 24 71z", "#0005")
    + path("M40 385L105 300h60l18 28 16-14 24 71", width=2)
    + path("M112 296L160 190", width=4)
    + path("M146 182q26-18 32 8-8 20-30 8-10-8-2-16z", IVORY)
    + at(90, 280, star(5, 9, 4, IVORY)),
    "the-magician": at(150, 125, path(INFINITY), 1.2)
    + path("M150 160v90", width=6)
    + circle(150, 160, 6, IVORY)
    + circle(150, 250, 6, IVORY)
    + path("M60 345h180v8H60zM76 353h8v40h-8zM216 353h8v40h-8z", GOLD)
    + suits((84, 128, 172, 216), 312, 1),
    "the-high-priestess": at(85, 270, path(PILLAR, "#0b0716") + path(PILLAR, width=2), 1.6)
    + at(215, 270, path(PILLAR, IVORY), 1.6)
    + at(150, 200, path(CRESCENT, GOLD), 1, 10)
    + at(150, 330, path("M-34-22q34-12 68 0v44q-34-12-68 0z", IVORY) + path("M0-27v44", width=1.5))
    + "".join(at(150, y, star(4, 9, 3)) for y in (110, 265)),
    "the-empress": at(150, 225, path(HEART, "#0004") + path(HEART, width=1.5), 3.2)
    + circle(150, 195, 28)
    + path("M150 223v52M128 250h44", width=5)
    + "".join(
        at(
            x,
            350,
            path(
                "M0 50V-40M0-40q-8-8 0-20 8 12 0 20M0-16q-14-2-14-16 14 2 14 16 0-14 14-16-0 14-14 16M0 8Q-14 6-14-8 0-6 0 8 0-6 14-8 14 6 0 8",
                width=2,
            ),
        )
        for x in (80, 115, 185, 220)
    )
    + "".join(at(150 + 22 * step, 108 + abs(step) * 5, star(6, 8, 4)) for step in range(-3, 4)),
    "the-emperor": at(150, 150, RANKS[14], 1.3)
    + path("M80 380V220q70-50 140 0v160z", "#0004")
    + path("M80 380V220q70-50 140 0v160z")
    + path("M150 250a16 20 0 1 1 .1 0zM150 250v90M122 276h56", width=6)
    + path("M60 380h180", width=5),
    "the-hierophant": path("M150 110v190M128 140h44M116 168h68M104 196h92", width=6)
    + at(110, 345, circle(0, -26, 15) + path("M0-11v58h14M0 32h11", width=5), 1, 35)
    + at(190, 345, circle(0, -26, 15) + path("M0-11v58h-14M0 32h-11", width=5), 1, -35)
    + circle(150, 106, 7, IVORY),
    "the-lovers": at(150, 135, circle(0, 0, 24, GOLD) + rays(16, 30, 46))
    + circle(120, 290, 58)
    + circle(180, 290, 58)
    + at(150, 292, path(HEART, IVORY), 1.3),
    "the-chariot": path("M70 190Q150 90 230 190z", "#0004")
    + path("M70 190Q150 90 230 190z")
    + "".join(at(x, y, star(5, 9, 4)) for x, y in ((150, 158), (118, 174), (182, 174)))
    + path("M84 190v70M216 190v70")
    + path("M76 260h148l-14 70H90z", "#0004")
    + path("M76 260h148l-14 70H90z")
    + at(150, 292, star(4, 26, 8, IVORY))
    + "".join(
        at(x, 345, circle(0, 0, 34) + rays(8, 0, 34) + circle(0, 0, 7, GOLD)) for x in (84, 216)
    ),
    "strength": at(150, 125, path(INFINITY), 1.2)
    + at(
        150,
        275,
        rays(28, 66, 96)
        + circle(0, 0, 62, "#0004")
        + circle(0, 0, 62)
        + circle(-22, -12, 6, IVORY)
        + circle(22, -12, 6, IVORY)
        + path("M-14 12h28L0 28z", GOLD)
        + path("M0 28v8q-14 12-26 2M0 36q14 12 26 2"),
    ),
    "the-hermit": path("M98 130V395", width=6)
    + path("M98 130q0-22 20-22h50v24")
    + at(
        168,
        205,
        path("M-30-50h60l12 20v90h-84v-90zM-20-66h40v16h-40z", "#0004")
        + path("M-30-50h60l12 20v90h-84v-90zM-20-66h40v16h-40zM0-66v-8")
        + star(6, 30, 17, IVORY)
        + rays(12, 36, 46),
    )
    + path("M40 395Q150 340 260 395", width=2),
    "wheel-of-fortune": at(
        150,
        245,
        circle(0, 0, 104)
        + circle(0, 0, 88)
        + circle(0, 0, 34)
        + rays(8, 34, 88)
        + star(8, 30, 12, GOLD)
        + "".join(
            circle(66 * math.cos(a), 66 * math.sin(a), 7, IVORY)
            for a in (math.radians(22.5 + 45 * k) for k in range(8))
        ),
    ),
    "justice": at(
        150,
        240,
        path("M0-118l8 12V70H-8v-176z", IVORY) + path("M-30 70h60v9h-60zM-5 79H5v30H-5z", GOLD),
    )
    + path("M72 190q78-34 156 0", width=4)
    + "".join(
        at(x, 190, path("M0 0L-32 78M0 0l32 78", width=1.5) + path("M-38 78h76q-38 44-76 0z", GOLD))
        for x in (72, 228)
    ),
    "the-hanged-man": path("M60 112h180M90 112v280M210 112v280", width=7)
    + path("M150 114v96", width=2)
    + path("M150 208l-26 34 26 20M150 208v76", width=7)
    + path("M150 280l-30 28 30 22 30-22z", "#0004")
    + path("M150 280l-30 28 30 22 30-22z")
    + at(150, 352, rays(16, 24, 36) + circle(0, 0, 18, IVORY)),
    "death": path("M92 395L190 130", width=6)
    + path("M190 130q-90-40-134 40 70-42 128-22z", IVORY)
    + path("M40 395h220", width=2)
    + path("M166 395a42 42 0 0 1 84 0z", GOLD)
    + at(208, 395, rays(9, 50, 64, 190, 180))
    + at(
        205,
        250,
        "".join(at(0, 0, path("M0 0q-20-12 0-34 20 22 0 34z", IVORY), 1, 72 * k) for k in range(5))
        + circle(0, 0, 9, GOLD),
    ),
    "temperance": at(105, 190, SUITS["cups"], 2, -35)
    + at(200, 325, SUITS["cups"], 2, 15)
    + path("M138 166q70 10 56 108", width=7)
    + path("M146 178q48 18 40 92", width=2)
    + at(205, 125, circle(0, 0, 16, GOLD) + rays(12, 21, 30))
    + waves(385, 1),
    "the-devil": at(150, 225, circle(0, 0, 92) + path(points(5, 88, 33.6, 180), width=4))
    + path("M82 190q-30-50-10-84 12 34 42 44M218 190q30-50 10-84-12 34-42 44", width=4)
    + "".join(
        f'<ellipse cx="{x}" cy="{y}" rx="15" ry="9"/>'
        for x, y in ((84, 352), (106, 366), (130, 374), (170, 374), (194, 366), (216, 352))
    )
    + circle(150, 377, 8, GOLD),
    "the-tower": at(
        150,
        290,
        path(TOWER, "#0005")
        + path(TOWER, width=2.5)
        + path("M-6-34h12v18H-6zM-6 6h12v18H-6z", GOLD),
        1.4,
    )
    + at(212, 160, path(BOLT, IVORY), 1.3)
    + path("M50 388h200", width=2)
    + "".join(
        at(x, y, path(DROP, GOLD), 1.4, 20)
        for x, y in ((80, 220), (66, 270), (92, 310), (226, 270), (240, 320), (214, 340))
    )
    + path("M110 170l-14-26 24 10 6-30 18 26 16-22 8 28 22-12-12 26z", GOLD),
    "the-star": at(150, 190, star(8, 78, 26) + star(8, 40, 15, IVORY, 22.5))
    + "".join(
        at(x, y, star(8, 15, 5, IVORY))
        for x, y in (
            (68, 130),
            (232, 130),
            (56, 210),
            (244, 210),
            (84, 285),
            (216, 285),
            (150, 305),
        )
    )
    + waves(345, 4),
    "the-moon": at(150, 170, circle(0, 0, 62, "#0004") + rays(24, 68, 82))
    + at(140, 175, path(CRESCENT, IVORY), 1.25, 5)
    + "".join(at(x, 350, path(TOWER, "#0005") + path(TOWER, width=2), 0.7) for x in (72, 228))
    + "".join(
        at(x, y, path(DROP, GOLD), 1.3)
        for x, y in ((120, 275), (150, 288), (180, 275), (135, 305), (165, 305))
    )
    + path("M150 400q-30-24 0-44t0-36", width=2),
    "the-sun": at(
        150,
        225,
        star(16, 118, 70)
        + circle(0, 0, 68, "#f3d98c")
        + '<g stroke="#7a4a12">'
        + path("M-30-10q8-10 18 0M12-10q10-10 18 0M-24 22q24 22 48 0M0-4v16h7")
        + "</g>",
    )
    + path("M50 385q25-36 50 0t50 0 50 0 50 0", width=2.5),
    "judgement": at(
        158,
        200,
        path("M-84-12h96q40-4 58-28V52Q52 24 12 20h-96q-8-16 0-32z", GOLD)
        + path("M-60 20v30M-60 50h62v62h-62z")
        + path("M-29 50v62M-60 81h62", width=7),
        1,
        -12,
    )
    + path("M52 380q10-30 40-24 14-30 48-20 30-22 56 4 34-6 44 24 12 4 10 16z", "#0004")
    + path("M52 380q10-30 40-24 14-30 48-20 30-22 56 4 34-6 44 24 12 4 10 16z", width=2),
    "the-world": f'<ellipse cx="150" cy="240" rx="82" ry="122"/><ellipse cx="150" cy="240" rx="82" ry="122" stroke="{IVORY}" stroke-width="9" stroke-dasharray="2 14"/>'
    + at(
        150,
        240,
        circle(0, 0, 44)
        + path("M-44 0h88M0-44v88M0-44q-44 44 0 88M0-44q44 44 0 88", width=1.5)
        + star(4, 14, 5, IVORY),
    )
    + "".join(at(x, y, star(6, 15, 7)) for x, y in ((58, 110), (242, 110), (58, 370), (242, 370))),
}


def minor(card: Card) -> str:
    """The picture of a suit's card."""
    sign = SUITS[str(card.suit)]
    if card.number > 10:
        arch = "M70 390V210Q70 130 150 110q80 20 80 100v180z"
        return (
            path(arch, "#0004")
            + path(arch)
            + at(150, 190, RANKS[card.number], 1.15)
            + at(150, 312, sign, 2)
        )
    if card.number == 1:
        return at(
            150,
            240,
            rays(24, 98, 124) + circle(0, 0, 92, "#0004") + circle(0, 0, 92) + at(0, 0, sign, 2.4),
        )
    scale = 1.3 if card.number < 4 else 1.2 if card.number < 7 else 1
    return f'<defs><g id="s">{sign}</g></defs>' + "".join(
        f'<use href="#s" transform="translate({number(150 + 88 * x)} {number(238 + 130 * y)})'
        + (f" scale({number(scale)})" if scale != 1 else "")
        + '"/>'
        for x, y in PIPS[card.number]
    )


def sky(card: Card) -> str:
    """A few stars, placed by the card's name."""
    digest = hashlib.sha256(card.id.encode()).digest()
    dots = "".join(
        f"M{28 + digest[step] * 244 // 255} {72 + digest[step + 1] * 330 // 255}h0"
        for step in range(0, 28, 2)
    )
    return f'<path d="{dots}" stroke="{IVORY}" stroke-opacity=".45" stroke-width="2"/>'


def picture(card: Card) -> str:
    """A card as SVG."""
    ground, glow = COLOURS[card.suit]
    numeral = ROMAN[card.number] if card.suit is None or card.number < 11 else COURT[card.number]
    art = MAJORS[card.id] if card.suit is None else minor(card)
    name, chinese = escape(card.name.en), escape(card.name.zh)
    diamonds = "".join(
        f"M{x} {y - 7}l7 7-7 7-7-7z" for x, y in ((30, 60), (270, 60), (30, 415), (270, 415))
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 500" role="img">
<title>{name} {chinese}</title>
<defs><radialGradient id="g" cy=".46" r=".62"><stop stop-color="{glow}"/>\
<stop offset="1" stop-color="{ground}"/></radialGradient></defs>
<rect width="300" height="500" rx="18" fill="url(#g)"/>
<g fill="none" stroke="{GOLD}" stroke-width="3" stroke-linecap="round" stroke-linejoin="round">
<rect x="11" y="11" width="278" height="478" rx="11"/>
<path d="M18 60V18h264v42M18 415v67h264v-67M44 60h212M44 415h212" stroke-width="1"/>
<path d="{diamonds}" fill="{GOLD}" stroke="none"/>
{sky(card)}
{art}
</g>
<g fill="{IVORY}" text-anchor="middle" font-family="Georgia,'Noto Serif SC',serif">
<text x="150" y="49" font-size="22" fill="{GOLD}" letter-spacing="3">{numeral}</text>
<text x="150" y="446" font-size="23">{name}</text>
<text x="150" y="472" font-size="19" fill="{GOLD}" letter-spacing="4">{chinese}</text>
</g>
</svg>
"""


def icon() -> str:
    """The site's icon: a card with a star."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-32 -32 64 64">'
        '<rect x="-20" y="-30" width="40" height="60" rx="6" fill="#1b1233" stroke="#e8c872" '
        f'stroke-width="3"/>{star(8, 15, 5)}</svg>\n'
    )


def pictures() -> dict[str, str]:
    """Every file's name below static/ and its content."""
    drawn = {f"cards/{card.id}.svg": picture(card) for card in CARDS.values()}
    return drawn | {"icon.svg": icon()}


def main() -> None:
    """Write the files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else STATIC
    for name, content in pictures().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
