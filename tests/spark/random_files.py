"""Files of readings such as people have, made by chance: good rows, bad ones, and what only all rows together tell."""

import datetime as dt
import random

_NAMES = ("Fridge", "Heat pump", "Wärme pumpe", "EV", "Wash/Dry", "=SUM(A1)", "Kühlschrank")


def random_file(seed: int) -> bytes:
    """A CSV file of one to four months; equal seeds give equal files."""
    chance = random.Random(seed)
    semicolons = chance.random() < 0.3
    with_offset = chance.random() < 0.3
    newline = "\r\n" if chance.random() < 0.4 else "\n"
    step = dt.timedelta(minutes=chance.choice((15, 30, 60)))
    start = dt.datetime(2025, chance.choice((1, 3, 9, 10)), chance.randint(1, 28))
    names = chance.sample(_NAMES, chance.randint(1, 4))
    several = chance.random() < 0.15
    rows = []
    for number in range(chance.randint(200, 1000)):
        moment = start + number * step
        for name in names:
            for _ in range(2 if several and name == names[0] else 1):
                value = f"{chance.uniform(0, 3):.{chance.randint(1, 4)}f}"
                rows.append(_row(chance, moment, name, value, semicolons, with_offset))
    spoilt = [_spoilt(chance, row) for row in rows if chance.random() < 0.02]
    again = [row for row in rows if chance.random() < 0.01]
    if chance.random() < 0.5:
        chance.shuffle(rows)
    for row in (*spoilt, *again):
        rows.insert(chance.randrange(len(rows)), row)
    header = ";".join(("timestamp", "appliance", "kwh")) if semicolons else "timestamp,appliance,kwh"
    end = newline if chance.random() < 0.7 else ""
    return (newline.join((header, *rows)) + end).encode()


def _row(chance: random.Random, moment: dt.datetime, name: str, value: str, semicolons: bool, with_offset: bool) -> str:
    written = f"{moment:%Y-%m-%d %H:%M:%S}" + ("+01:00" if with_offset else "")
    if chance.random() < 0.02:
        name = chance.choice((name.upper(), f" {name} "))
    if chance.random() < 0.01:
        name = f'"{name}"'
    if semicolons:
        return f"{written};{name};{value.replace('.', ',')}"
    return f"{written},{name},{value}"


def _spoilt(chance: random.Random, row: str) -> str:
    delimiter = ";" if ";" in row else ","
    moment, name, value = row.split(delimiter)
    ways = (
        (moment, name, f"-{value}"),
        (moment, name, "n/a"),
        ("yesterday", name, value),
        (moment, name),
        (moment, f'"{name}\nin the cellar"', value),
        (moment, name, f"9{value}"),  # another value for the same time
        (moment.replace("2025", "2199"), name, value),
    )
    return delimiter.join(chance.choice(ways))
